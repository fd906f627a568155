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

  /** The place and the value of a curve at a step; where points were left out, on the line between those kept. */
  function atStep(curve, step) {
    const number = nearest(curve.step, step);
    if (curve.step[number] === step) return [curve.x[number], curve.y[number]];
    return curve.thinned ? [between(curve.step, curve.x, step), between(curve.step, curve.y, step)] : [NaN, NaN];
  }

  /** Mean and standard deviation of several curves, at the steps that all of them have; places are means too. */
  function band(curves) {
    const whole = curves.find((curve) => !curve.thinned) || curves[0];
    const found = { x: [], y: [], low: [], high: [], count: [] };
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    for (const step of whole.step) {
      const points = curves.map((curve) => atStep(curve, step));
      if (!points.flat().every(Number.isFinite)) continue;
      const values = points.map(([, value]) => value);
      const middle = mean(values);
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
      found.x.push(mean(points.map(([place]) => place)));
      found.y.push(middle);
      found.low.push(middle - deviation);
      found.high.push(middle + deviation);
      found.count.push(values.length);
    }
    return found;
  }

  return { text, duration, ticks, logTicks, scale, smooth, nearest, between, band };
})();
