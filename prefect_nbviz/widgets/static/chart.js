// Draws a plotly figure and redraws it in place, without a blank moment in between. A figure whose
// layout.meta holds a view is one of a timeline that is drawn anew, by Python, where a person moves to.
// Runs are picked in it: Python knows which, and says which points to leave undimmed. Before this come fit.js and cursor.js.
const REMOVED = ["select2d", "lasso2d", "autoScale2d"];
const DIM = 0.2; // what plotly leaves of the opacity of what is not selected
const DOUBLE = 300; // milliseconds within which plotly takes two clicks for one
const KEYS = "Arrow keys go from point to point, Enter picks its runs, Escape lets them go.";
const EDGE = 0.01; // pixels
const PAUSE = 20; // milliseconds: one gesture may move the axes several times

// The library comes once for each page: it is 5 MB.
async function loadPlotly(model) {
  const page = await model.widget_manager.get_model(model.get("page").replace("IPY_MODEL_", ""));
  globalThis.prefectNbvizPlotly ??= (async () => {
    const url = URL.createObjectURL(new Blob([page.get("plotly")], { type: "text/javascript" }));
    await import(url);
    URL.revokeObjectURL(url);
    return globalThis.Plotly;
  })();
  return globalThis.prefectNbvizPlotly;
}

// Asks for the part of a timeline that the axes were moved to, and knows which answer is the newest.
class Mover {
  constructor(model, plot) {
    this.model = model;
    this.plot = plot;
    this.number = model.get("moved").number ?? 0;
  }

  // An answer to what was asked before the person moved on would throw the axes back.
  isStale({ meta }) {
    return Boolean(meta?.view) && meta.number < this.number;
  }

  take({ meta, xaxis, yaxis }) {
    this.of = meta?.view ? meta : null;
    this.number = Math.max(this.number, meta?.number ?? 0);
    this.ranges = { x: [...(xaxis?.range ?? [])], y: [...(yaxis?.range ?? [])] }; // plotly changes its own
  }

  listen() {
    this.plot.on("plotly_relayout", (event) => {
      if (Object.keys(event).some((key) => /^[xy]axis\./.test(key))) this.move();
    });
    this.plot.on("plotly_doubleclick", () => this.showAll());
  }

  move() {
    const range = (axis) => this.plot.layout[`${axis}axis`].range;
    const moved = (axis) => range(axis).some((end, place) => end !== this.ranges[axis][place]);
    this.ask(() => ({ of: this.of, x: moved("x") ? range("x") : null, y: moved("y") ? range("y") : null }), PAUSE);
  }

  showAll() {
    this.ask(() => null, 0);
  }

  ask(seen, pause) {
    if (!this.of) return;
    this.number += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.model.set("moved", { seen: seen(), number: this.number });
      this.model.save_changes();
    }, pause);
  }
}

// Tells Python what is picked, by a click or in a box, and that all is let go by a click beside it or by Escape.
class Picker {
  constructor(model, plot, Plotly) {
    Object.assign(this, { model, plot, Plotly, count: model.get("picked").count ?? 0, figure: null, isHit: false });
    plot.tabIndex = 0;
    plot.addEventListener("pointerdown", () => this.focus(), true);
    plot.addEventListener("click", (event) => this.click(event));
  }

  listen() {
    this.plot.on("plotly_click", ({ points, event }) => {
      if (this.isPicture()) return;
      this.isHit = true;
      this.pick({ points: points.map(({ curveNumber, pointNumber }) => [curveNumber, pointNumber]) }, event);
    });
    this.plot.on("plotly_selected", (event) => event?.range && this.box(event.range));
    this.plot.on("plotly_hover", () => this.plot.classList.toggle("nbviz-can-pick", this.model.get("is_pickable")));
    this.plot.on("plotly_unhover", () => this.plot.classList.remove("nbviz-can-pick"));
    this.plot.on("plotly_doubleclick", () => clearTimeout(this.timer));
  }

  // Plotly keeps a press of the mouse from giving the focus, which Escape needs; a frame would be of no use then.
  focus() {
    this.plot.classList.add("nbviz-by-hand");
    this.plot.focus({ preventScroll: true });
  }

  press(key) {
    this.plot.classList.remove("nbviz-by-hand");
    if (key === "Escape") this.pick({ points: [] });
  }

  isPicture() {
    return this.plot.layout.images?.length > 0;
  }

  // Plotly tells of a point first, if there is one; of two clicks that show all the first lets nothing go.
  click(event) {
    const { isHit } = this;
    this.isHit = false;
    clearTimeout(this.timer);
    if (isHit || !event.target.closest(".nsewdrag")) return;
    const picked = this.isPicture() ? this.place(event) : { points: [] };
    this.timer = setTimeout(() => this.pick(picked, event), DOUBLE);
  }

  place({ clientX, clientY }) {
    const { xaxis, yaxis } = this.plot._fullLayout;
    const { left, top } = this.plot.getBoundingClientRect();
    const x = xaxis.p2r(clientX - left - xaxis._offset);
    const y = yaxis.p2r(clientY - top - yaxis._offset);
    return { x: [x, x], y: [y, y] };
  }

  // What is between some pixels, but for their edges, where the next begins.
  block(x, y) {
    const { xaxis, yaxis } = this.plot._fullLayout;
    const range = (axis, { from, to }) => [from + EDGE, to - EDGE].map((place) => axis.p2r(place - axis._offset));
    return { x: range(xaxis, x), y: range(yaxis, y) };
  }

  box(range) {
    this.pick(this.isPicture() ? { x: range.x, y: range.y } : { points: this.pointsIn(range) });
    setTimeout(() => {
      this.Plotly.relayout(this.plot, { selections: [] });
      this.isMarked = true; // by plotly, which dims what it took
      this.mark(this.model.get("marks"));
    }, 0);
  }

  // Plotly takes a bar when its end is in the box; a person sees that the box meets the bar.
  pointsIn(range) {
    const [xName, yName] = Object.keys(range).sort();
    const [xaxis, yaxis] = [axisOf(this.plot, xName), axisOf(this.plot, yName)];
    const pixels = (side, ends) => ends.map((end) => side.r2p(end)).sort((one, two) => one - two);
    const [left, right] = pixels(xaxis, range[xName]);
    const [top, bottom] = pixels(yaxis, range[yName]);
    const meets = (ends, low, high) => Math.min(...ends) <= high && Math.max(...ends) >= low;
    const found = [];
    for (const points of this.plot.calcdata) {
      const { trace } = points[0];
      if (trace.visible !== true || trace.xaxis !== xName || trace.yaxis !== yName) continue;
      const isBar = trace.type === "bar";
      points.forEach((point, number) => {
        const [ofX, ofY] = endsOf(point, trace);
        const isIn =
          meets(ofX.map((one) => xaxis.c2p(one)), left, right) && meets(ofY.map((one) => yaxis.c2p(one)), top, bottom);
        if (isIn && (!isBar || point.s !== 0)) found.push([trace.index, number]);
      });
    }
    return found;
  }

  take(figure, layout) {
    this.figure = figure;
    this.images = layout.images ?? [];
  }

  // Marks what is about to be drawn.
  put({ points, veil }, data, layout) {
    this.isMarked = Boolean(points);
    data.forEach((trace, number) => {
      if (points?.[number]) trace.selectedpoints = points[number];
    });
    if (veil) layout.images = [...this.images, veil];
    layout.selectionrevision = this.figure;
  }

  // Marks what is drawn.
  mark({ points, veil }) {
    if (points || this.isMarked) this.dim(points);
    this.isMarked = Boolean(points);
    const images = veil ? [...this.images, veil] : this.images;
    if (this.images.length) this.Plotly.relayout(this.plot, { images });
  }

  // Plotly's restyle would calculate all anew, in a second for a few thousand points. What it keeps is set as it
  // would set it, so that it draws the same where it draws again, such as after a zoom.
  dim(points) {
    const opacity = new Map();
    this.plot.data.forEach((trace, number) => {
      const full = this.plot._fullData[number];
      const taken = points?.[number] ?? undefined;
      trace.selectedpoints = full.selectedpoints = taken;
      const held = taken && new Set(taken);
      this.plot.calcdata[number].forEach((point, place) => {
        if (held) point.selected = held.has(place) ? 1 : 0;
        else delete point.selected;
        opacity.set(point, (point.mo ?? full.marker?.opacity ?? 1) * (held && !held.has(place) ? DIM : 1));
      });
    });
    for (const path of this.plot.querySelectorAll(".point > path, path.point")) {
      path.style.opacity = opacity.get(path.__data__) ?? path.style.opacity;
    }
  }

  pick(picked, event) {
    if (!this.model.get("is_pickable")) return;
    const isMore = Boolean(event?.shiftKey || event?.ctrlKey || event?.metaKey);
    this.count += 1;
    this.model.set("picked", { ...picked, figure: this.figure, count: this.count, is_more: isMore });
    this.model.save_changes();
  }
}

// Plotly's own way back is to where the figure began, which is not all of a timeline.
function configOf(Plotly, isPickable, mover) {
  const removed = REMOVED.filter((name) => name !== "select2d" || !isPickable);
  const config = { displaylogo: false, modeBarButtonsToRemove: removed };
  if (!mover) return config;
  const home = { name: "all", title: "Show all", icon: Plotly.Icons.home, click: () => mover.showAll() };
  return {
    ...config,
    modeBarButtonsToRemove: [...removed, "resetScale2d"],
    modeBarButtonsToAdd: [home],
    doubleClick: false,
  };
}

// The browser reads the library while Python makes the first figure.
function initialize({ model }) {
  loadPlotly(model);
}

async function render({ model, el }) {
  el.classList.add("nbviz-chart");
  const plot = document.createElement("div");
  el.append(plot);
  const Plotly = await loadPlotly(model);
  const mover = model.get("moved") && new Mover(model, plot);
  const picker = new Picker(model, plot, Plotly);
  const fit = new Fit(plot, el);
  const cursor = new Cursor(plot, el, picker, Plotly);
  plot.addEventListener("keydown", (event) => cursor.press(event) || picker.press(event.key));
  const isShown = () => plot.offsetParent !== null && plot.clientWidth > 0;
  let isDrawn = false;
  let isHeld = false;
  let drawn;
  let marked;
  let kind;
  const draw = () => {
    plot.setAttribute("role", "application"); // so that readers of the screen leave the arrows to it
    plot.setAttribute("aria-roledescription", "chart");
    plot.setAttribute("aria-label", model.get("description"));
    plot.setAttribute("aria-description", KEYS);
    if (isHeld) return;
    isDrawn = isShown();
    if (!isDrawn || !model.get("figure")) return;
    drawn = model.get("number");
    const { data, layout } = JSON.parse(model.get("figure"));
    if (kind && mover?.isStale(layout)) return;
    const before = kind;
    const moving = mover && layout.meta?.view ? mover : null;
    kind = `${model.get("is_pickable")} ${Boolean(moving)}`;
    mover?.take(layout);
    picker.take(drawn, layout);
    marked = model.get("marks");
    picker.put(marked, data, layout);
    fit.put(layout);
    const config = configOf(Plotly, model.get("is_pickable"), moving);
    Plotly.react(plot, data, { uirevision: model.get("about"), ...layout, autosize: true }, config)
      .then(() => fit.look(Plotly))
      .then(() => fit.reveal(marked));
    if (kind === before) return;
    plot.removeAllListeners?.(); // plotly begins anew then
    mover?.listen();
    picker.listen();
    plot.on("plotly_afterplot", () => cursor.renew());
  };
  const mark = () => {
    if (isHeld || !isDrawn || model.get("number") !== drawn || model.get("marks") === marked) return;
    marked = model.get("marks");
    picker.mark(marked);
    fit.reveal(marked);
  };
  // What would be drawn while a person drags would end the drag.
  const hold = () => {
    isHeld = true;
  };
  const letGo = () => {
    if (!isHeld) return;
    isHeld = false;
    setTimeout(model.get("number") === drawn ? mark : draw, PAUSE);
  };
  plot.addEventListener("pointerdown", hold, true);
  globalThis.addEventListener("pointerup", letGo, true);
  globalThis.addEventListener("pointercancel", letGo, true);
  // A tab that is not shown has no width: its chart is drawn when it comes to the front.
  const observer = new ResizeObserver(() => {
    if (!isShown()) return;
    if (!isDrawn) return draw();
    fit.space(plot.layout);
    Plotly.Plots.resize(plot).then(() => fit.look(Plotly));
  });
  observer.observe(plot);
  model.on("change:number", draw);
  model.on("change:marks", mark);
  draw();
  return () => {
    observer.disconnect();
    globalThis.removeEventListener("pointerup", letGo, true);
    globalThis.removeEventListener("pointercancel", letGo, true);
    model.off("change:number", draw);
    model.off("change:marks", mark);
    Plotly.purge(plot);
  };
}

export default { initialize, render };
