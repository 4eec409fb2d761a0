// Curves, drawn as SVG.

import { svg } from "./page.js";

// Draw lines { name, colour, points: [[x, y], ...], dash } into `place`, as wide as it is; the names stand at their ends.
export function drawChart(place, lines, { height, right, xMax, yMin, yMax, xName, yText, label }) {
  const width = Math.max(240, place.clientWidth);
  const left = 48, top = 8, bottom = 34;
  const x = (value) => left + (width - left - right) * value / xMax;
  const y = (value) => height - bottom - (height - top - bottom) * Math.min(1, Math.max(0, (value - yMin) / (yMax - yMin)));
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const value of ticks(yMin, yMax, height < 200 ? 3 : 5)) {
    chart.append(svg("path", { class: "axis", d: `M${left} ${y(value)}H${width - right}` }));
    chart.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, yText(value)));
  }
  for (const value of ticks(0, xMax, width / 90)) {
    chart.append(svg("text", { x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, `${+value.toFixed(4)}`));
  }
  chart.append(svg("text", { x: (left + width - right) / 2, y: height - 2, "text-anchor": "middle" }, xName));
  const names = [];
  for (const { name, colour, points, dash } of lines) {
    if (!points.length) continue;
    const path = points.map(([px, py]) => `${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("L");
    chart.append(svg("path", { class: "curve", d: `M${path}`, style: `stroke: ${colour}`, "stroke-dasharray": dash || "none" }));
    for (const [px, py] of points.length > 40 ? points.slice(-1) : points) {
      chart.append(svg("circle", { cx: x(px), cy: y(py), r: 2.5, style: `fill: ${colour}` }));
    }
    const [px, py] = points[points.length - 1];
    if (name) names.push({ name, colour, x: x(px) + 7, y: y(py) + 4 });
  }
  names.sort((a, b) => a.y - b.y);
  names.forEach((each, k) => {
    for (const above of names.slice(0, k)) { // names that would touch are pushed apart
      const touch = each.x < above.x + widthOf(above.name) && above.x < each.x + widthOf(each.name);
      if (touch && each.y < above.y + 14) each.y = above.y + 14;
    }
    chart.append(svg("rect", { x: each.x, y: each.y - 8, width: 8, height: 8, rx: 4, style: `fill: ${each.colour}` }));
    chart.append(svg("text", { class: "name", x: each.x + 12, y: each.y }, each.name));
  });
  place.replaceChildren(chart);
}

// About how wide a name is, with its mark.
function widthOf(name) {
  return 18 + 7 * name.length;
}

// Accuracies lie close to 1: the axis begins at the twentieth below the lowest.
export function rangeOf(accuracies) {
  return { yMin: Math.floor(20 * Math.min(0.9, ...accuracies)) / 20, yMax: 1 };
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((each) => each >= rough * 0.999);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9; value += step) found.push(value);
  return found;
}
