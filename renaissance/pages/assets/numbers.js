// Numbers of curves, without a page: scales and their ticks, texts of numbers, smoothing, bands of runs. Nothing here
// touches the document.
"use strict";

const Numbers = (() => {
  const SIGNIFICANT = 6;

  /** A number as a table shows it: at most six significant digits. */
  function text(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e9)) return Number(value.toPrecision(4)).toExponential().replace("e+", "e").replaceAll("-", "−");
    const rounded = Number(value.toPrecision(SIGNIFICANT));
    return rounded.toLocaleString("en-US", { maximumSignificantDigits: SIGNIFICANT }).replace("-", "−");
  }

  /** Seconds in words, such as "1 h 05 min". */
  function duration(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    const minutes = Math.floor(whole / 60);
    if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  }

  /** Round numbers from `low` to `high`, some `count` of them. */
  function ticks(low, high, count) {
    const rough = (high - low) / Math.max(count, 1);
    if (!(rough > 0)) return [low];
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
    const found = [];
    for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number++) {
      found.push(Number((number * step).toPrecision(12)));
    }
    return found;
  }

  /** Ticks of a logarithmic axis: powers of ten, with their twos and fives where there are few of them. */
  function logTicks(low, high, count) {
    const found = [];
    const few = Math.log10(high / low) < count / 2;
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const factor of few ? [1, 2, 5] : [1]) {
        const tick = Number((factor * 10 ** power).toPrecision(12));
        if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick);
      }
    }
    return found.length > 1 ? found.filter((_, number) => number % Math.ceil(found.length / (count * 1.5)) === 0)
      : ticks(low, high, count).filter((tick) => tick > 0);
  }

  /** Maps values from `from` (low, high) onto `to`, straight or by their logarithms. */
  function scale(from, to, log) {
    const bend = log ? Math.log : (value) => value;
    const [low, high] = from.map(bend);
    const span = high - low || 1;
    const map = (value) => to[0] + ((bend(value) - low) / span) * (to[1] - to[0]);
    map.back = (place) => {
      const value = low + ((place - to[0]) / (to[1] - to[0])) * span;
      return log ? Math.exp(value) : value;
    };
    return map;
  }

  /** An exponential moving average over points, without the pull of its start (Kingma and Ba, 2015, section 3). */
  function smooth(values, weight) {
    let mean = 0, rest = 1;
    return values.map((value) => {
      if (!Number.isFinite(value)) return value;
      mean = weight * mean + (1 - weight) * value;
      rest *= weight;
      return mean / (1 - rest);
    });
  }

  /** The index of the number nearest to `wanted` in ascending numbers. */
  function nearest(numbers, wanted) {
    let low = 0, high = numbers.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low > 0 && wanted - numbers[low - 1] <= numbers[low] - wanted ? low - 1 : low;
  }

  /** The value at `wanted` on straight lines between points (x, y); NaN outside of them. */
  function between(x, y, wanted) {
    if (!x.length || wanted < x[0] || wanted > x[x.length - 1]) return NaN;
    let right = nearest(x, wanted);
    if (x[right] < wanted) right++;
    if (x[right] === wanted || right === 0) return y[right];
    const share = (wanted - x[right - 1]) / (x[right] - x[right - 1]);
    return y[right - 1] + share * (y[right] - y[right - 1]);
  }

  /** Mean and standard deviation of several curves, at the places of the longest that at least two of them reach. */
  function band(curves) {
    const grid = curves.reduce((one, other) => (other.x.length > one.x.length ? other : one)).x;
    const found = { x: [], y: [], low: [], high: [], count: [] };
    for (const place of grid) {
      const values = curves.map((curve) => between(curve.x, curve.y, place)).filter(Number.isFinite);
      if (values.length < 2) continue;
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      const deviation = Math.sqrt(squares / (values.length - 1));
      found.x.push(place);
      found.y.push(mean);
      found.low.push(mean - deviation);
      found.high.push(mean + deviation);
      found.count.push(values.length);
    }
    return found;
  }

  return { text, duration, ticks, logTicks, scale, smooth, nearest, between, band };
})();
