// Goes from point to point of a chart by the arrow keys, shows and says where it is, and picks there as a click does.
const WAYS = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };
const DOT = 6; // pixels from the middle of a dot to its ring
const SOON = 80; // milliseconds: plotly draws what hovers 50 later if it has just done so
const NEAR = 20; // pixels that a point may have moved when it is drawn anew

// The ends of a point along both axes, in what plotly calculates with. Of a picture a point is the middle of a block,
// and its trace tells how large these are, and where the last ones end.
function endsOf(point, { type, orientation, meta }) {
  if (type !== "bar") {
    return ["x", "y"].map((axis) => {
      const [size, end] = meta?.[axis] ?? [0, Infinity];
      const half = Math.min(size / 2, end - point[axis]) || 0;
      return [point[axis] - half, point[axis] + half];
    });
  }
  const [along, across] = [[point.b, point.b + point.s], [point.p0, point.p1]];
  return orientation === "h" ? [along, across] : [across, along];
}

// The axis that is named "x2" by a trace.
function axisOf(plot, name) {
  return plot._fullLayout[name.replace(/^([xy])/, "$1axis")];
}

// What hovers, as it is shown.
function hovered(plot) {
  const labels = [...plot.querySelectorAll(".hoverlayer .hovertext .nums")];
  const lines = (label) => [...label.querySelectorAll(".line")].map(({ textContent }) => textContent);
  return labels.map((label) => lines(label).join(", ") || label.textContent).join("; ");
}

class Cursor {
  constructor(plot, el, picker, Plotly) {
    Object.assign(this, { plot, picker, Plotly, at: null });
    const part = (className) => Object.assign(document.createElement("div"), { className });
    this.ring = Object.assign(part("nbviz-ring"), { hidden: true });
    this.said = part("nbviz-heard");
    this.said.setAttribute("aria-live", "polite");
    el.append(this.ring, this.said);
    el.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows to move between cells
    plot.addEventListener("blur", () => this.hide());
    plot.addEventListener("pointerdown", () => this.hide(), true);
  }

  // Says whether a key was meant for it.
  press(event) {
    const way = WAYS[event.key];
    if (way) this.go(...way);
    else if (this.ring.hidden) return false;
    else if (event.key === "Escape") this.hide();
    else if (event.key === "Enter" || event.key === " ") this.pick(event);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  points() {
    const found = [];
    for (const points of this.plot.calcdata ?? []) {
      const { trace } = points[0];
      if (trace.visible !== true || trace.hoverinfo === "skip" || !trace.hovertemplate) continue;
      const sides = [axisOf(this.plot, trace.xaxis), axisOf(this.plot, trace.yaxis)];
      points.forEach((point, number) => {
        const [x, y] = endsOf(point, trace).map((ends, side) => this.seen(ends, sides[side], trace));
        if (x && y && point.s !== 0) found.push({ trace, number, x, y });
      });
    }
    return found;
  }

  // The part of a point that is in view along an axis, in pixels of the plot.
  seen(ends, axis, { type, meta }) {
    const [low, high] = ends.map((end) => axis.c2p(end)).sort((one, other) => one - other);
    if (!(high >= 0 && low <= axis._length)) return null; // there is nothing where one is not a number
    const more = type === "bar" || meta ? 0 : DOT;
    const [from, to] = [Math.max(low, 0), Math.min(high, axis._length)].map((place) => place + axis._offset);
    return { from: from - more, to: to + more, middle: (from + to) / 2 };
  }

  // Bars lie in rows or columns: along these it goes to what comes next there, across them to the nearest in the next.
  go(axis, way) {
    const all = this.points();
    const here = this.at && all.find(({ trace, number }) => trace.index === this.at.trace && number === this.at.number);
    if (!here || this.ring.hidden) return this.show(here ?? this.first(all));
    const bar = this.plot._fullData.find(({ type, visible }) => type === "bar" && visible === true);
    const band = bar && (bar.orientation === "h" ? "y" : "x");
    const cost = (one) => {
      const along = way * (one[axis].middle - here[axis].middle);
      const across = Math.abs(one[axis === "x" ? "y" : "x"].middle - here[axis === "x" ? "y" : "x"].middle);
      if (along < 1) return Infinity;
      if (!band) return along + 2 * across;
      return band === axis ? Math.round(along) * 1e5 + across : across < 1 ? along : Infinity;
    };
    return this.show(this.least(all, cost));
  }

  first(all) {
    return this.least(all, ({ x, y }) => x.middle + y.middle);
  }

  least(all, cost) {
    let [best, least] = [null, Infinity];
    for (const one of all) {
      const price = cost(one);
      if (price < least) [best, least] = [one, price];
    }
    return best;
  }

  show(point) {
    if (!point) return;
    const { trace, number, x, y } = point;
    this.at = { trace: trace.index, number, x, y };
    const size = { left: x.from, top: y.from, width: x.to - x.from, height: y.to - y.from };
    for (const [name, pixels] of Object.entries(size)) this.ring.style[name] = `${pixels}px`;
    this.ring.hidden = false;
    this.ring.scrollIntoView({ block: "nearest" });
    this.Plotly.Fx.hover(this.plot, [{ curveNumber: trace.index, pointNumber: number }], trace.xaxis + trace.yaxis);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.said.textContent = hovered(this.plot)), SOON);
  }

  // What is drawn anew may have other points: it stays where it was.
  renew() {
    if (this.ring.hidden) return;
    const far = ({ x, y }) => Math.hypot(x.middle - this.at.x.middle, y.middle - this.at.y.middle);
    const nearest = this.least(this.points(), far);
    if (nearest && far(nearest) < NEAR) this.show(nearest);
    else this.hide();
  }

  hide() {
    if (this.ring.hidden) return;
    this.ring.hidden = true;
    clearTimeout(this.timer);
    this.said.textContent = "";
    this.Plotly.Fx.unhover(this.plot);
  }

  pick(event) {
    const { trace, number, x, y } = this.at;
    this.picker.pick(this.picker.isPicture() ? this.picker.block(x, y) : { points: [[trace, number]] }, event);
  }
}
