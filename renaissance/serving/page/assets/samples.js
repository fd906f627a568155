// Sample pictures, drawn here as the scenes are that Renaissance draws for training: flat shapes on a light ground.
// Colours, sizes and corners are those of renaissance/data/scene/drawing.py.

import { Picture } from "./picture.js";

const SIDE = 96; // pixels
const SCALE = 4; // drawn so much larger, then reduced
const RADII = { small: 0.085, large: 0.145 }; // shares of the side
const COLOURS = { red: "#d72328", orange: "#fa8c1e", yellow: "#f5e132", green: "#28a03c", blue: "#2d50dc", purple: "#8228a0", pink: "#fa96c3", black: "#191919" };
const CORNERS = { // angle in turns and distance in radii
  square: [0, 1, 2, 3].map((corner) => [corner / 4 + 1 / 8, 1.25]),
  triangle: [0, 1, 2].map((corner) => [corner / 3 - 1 / 4, 1.3]),
  cross: [0, 1, 2, 3].flatMap((arm) => [[arm / 4 - 0.05, 1.12], [arm / 4 + 0.05, 1.12], [arm / 4 + 0.125, 0.49]]),
};
const SAMPLES = { // by what they show: colour, size, shape, place
  "a red circle above a blue square": [["red", "large", "circle", 1 / 2, 1 / 6], ["blue", "large", "square", 1 / 2, 5 / 6]],
  "a large green triangle": [["green", "large", "triangle", 1 / 2, 1 / 2]],
  "two small yellow squares left of a purple cross": [["yellow", "small", "square", 1 / 6, 1 / 2], ["yellow", "small", "square", 1 / 2, 1 / 2], ["purple", "large", "cross", 5 / 6, 1 / 2]],
  "a small black cross in the top left corner": [["black", "small", "cross", 1 / 6, 1 / 6]],
  "a pink circle left of an orange triangle": [["pink", "large", "circle", 1 / 6, 1 / 2], ["orange", "large", "triangle", 5 / 6, 1 / 2]],
  "three large blue circles in a row": [1 / 6, 1 / 2, 5 / 6].map((x) => ["blue", "large", "circle", x, 5 / 6]),
};

let drawn = null;

/** Sample pictures with what they show, `{title, picture}`; drawn once. */
export function samples() {
  drawn ||= Promise.all(Object.entries(SAMPLES).map(async ([title, things]) => ({ title, picture: await picture(title, things) })));
  return drawn;
}

async function picture(title, things) {
  const canvas = sheet(SIDE * SCALE);
  const pencil = canvas.getContext("2d");
  for (const [colour, size, shape, x, y] of things) {
    pencil.fillStyle = COLOURS[colour];
    outline(pencil, shape, x * canvas.width, y * canvas.width, RADII[size] * canvas.width);
    pencil.fill();
  }
  const small = sheet(SIDE);
  const reduced = small.getContext("2d");
  reduced.imageSmoothingQuality = "high";
  reduced.drawImage(canvas, 0, 0, SIDE, SIDE);
  const blob = await new Promise((done) => small.toBlob(done, "image/png"));
  return new Picture(blob, { name: `${title.replaceAll(" ", "-")}.png`, width: SIDE, height: SIDE });
}

function sheet(side) {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const pencil = canvas.getContext("2d");
  pencil.fillStyle = "rgb(240, 240, 240)";
  pencil.fillRect(0, 0, side, side);
  return canvas;
}

function outline(pencil, shape, x, y, radius) {
  pencil.beginPath();
  if (shape === "circle") pencil.arc(x, y, radius, 0, 2 * Math.PI);
  else for (const [turn, reach] of CORNERS[shape]) pencil.lineTo(x + reach * radius * Math.cos(turn * 2 * Math.PI), y + reach * radius * Math.sin(turn * 2 * Math.PI));
  pencil.closePath();
}
