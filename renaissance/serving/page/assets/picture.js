// A picture as it is sent: the file itself where the server reads its kind and it is not too large, otherwise scaled
// down, upright and on white paper as the server would have it.

const AS_IS = new Set(["image/jpeg", "image/png", "image/gif", "image/bmp", "image/webp"]);
const UNSEEN = /\.(tiff?|p[bgnp]m)$/i; // kinds that the server reads and browsers do not
const SIDES = [2048, 1536, 1024, 768, 512, 256]; // pixels of the longer side, tried in turn
const QUALITY = 0.92;
const USUAL = 3e6; // bytes of a picture that need no scaling: it is sent again with every question

export class Picture {
  constructor(blob, { name, width = 0, height = 0, note = "" }) {
    Object.assign(this, { blob, name, width, height, note });
    this.url = URL.createObjectURL(blob);
  }

  /** Whether the browser can show it, so that its size is known. */
  get seen() {
    return this.width > 0;
  }

  /** Its bytes as base64, as requests have them. */
  async base64() {
    const bytes = new Uint8Array(await this.blob.arrayBuffer());
    let text = "";
    for (let start = 0; start < bytes.length; start += 0x8000) text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
    return btoa(text);
  }
}

/** A file as a picture within the server's limits, `{body, pixels}`; throws an Error in words where it is none. */
export async function readPicture(file, limits) {
  const most = Math.min(USUAL, limits.body / 4); // base64 is a third larger, and a question may have two

  const name = file.name || "picture.png";
  const image = await decoded(file);
  if (!image) {
    if (!UNSEEN.test(name) || file.size > most) throw new Error(`${name} is no picture that can be read here.`);
    return new Picture(file, { name, note: "sent as it is; this browser cannot show it" });
  }
  const size = { width: image.naturalWidth, height: image.naturalHeight }; // upright, as its EXIF data say
  const few = size.width * size.height <= limits.pixels;
  if (AS_IS.has(file.type) && file.size <= most && few) return new Picture(file, { name, ...size });
  return scaled(image, file, name, most, limits);
}

async function decoded(blob) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image.naturalWidth ? image : null;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function scaled(image, file, name, most, limits) {
  const longer = Math.max(image.naturalWidth, image.naturalHeight);
  for (const side of [longer, ...SIDES].filter((side) => side <= Math.min(longer, SIDES[0]))) {
    const share = side / longer;
    const width = Math.max(1, Math.round(image.naturalWidth * share));
    const height = Math.max(1, Math.round(image.naturalHeight * share));
    if (width * height > limits.pixels) continue;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const pencil = canvas.getContext("2d");
    pencil.fillStyle = "white";
    pencil.fillRect(0, 0, width, height);
    pencil.imageSmoothingQuality = "high";
    pencil.drawImage(image, 0, 0, width, height);
    for (const kind of ["image/png", "image/jpeg"]) {
      if (kind === "image/png" && file.type === "image/jpeg") continue; // a photograph, which PNG would only make larger
      const blob = await new Promise((done) => canvas.toBlob(done, kind, QUALITY));
      if (!blob || blob.size > most) continue;
      // A name of its own: boxes are in its pixels, and who asks from a program must not send the file it was made of.
      const ending = `-${width}x${height}.${kind === "image/png" ? "png" : "jpg"}`;
      const note = share < 1 ? `scaled down from ${image.naturalWidth} × ${image.naturalHeight}` : "sent as another kind of file";
      return new Picture(blob, { name: name.replace(/(\.\w+)?$/, ending), width, height, note });
    }
  }
  throw new Error(`${name} is larger than this server takes.`);
}

/** What an example of the server gives as a picture: base64, also behind `data:…,`. */
export async function pictureOf(text, name, limits) {
  const [, kind, data] = /^data:([^;,]*)[^,]*,(.*)$/s.exec(text) || [null, "", text];
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const known = kind || (bytes[0] === 0xff ? "image/jpeg" : "image/png");
  return readPicture(new File([bytes], `${name}.${known === "image/jpeg" ? "jpg" : "png"}`, { type: known }), limits);
}
