// Draws a plotly figure and redraws it in place, without a blank moment in between. A figure whose
// layout.meta holds a view is one of a timeline that is drawn anew, by Python, where a person moves to.
const CONFIG = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
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
    this.plot.removeAllListeners?.();
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

// Plotly's own way back is to where the figure began, which is not all of the timeline.
function movingConfig(Plotly, mover) {
  const home = { name: "all", title: "Show all", icon: Plotly.Icons.home, click: () => mover.showAll() };
  const removed = [...CONFIG.modeBarButtonsToRemove, "resetScale2d"];
  return { ...CONFIG, modeBarButtonsToRemove: removed, modeBarButtonsToAdd: [home], doubleClick: false };
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
  const moving = mover && movingConfig(Plotly, mover);
  const isShown = () => plot.offsetParent !== null && plot.clientWidth > 0;
  let isDrawn = false;
  let isHeld = false;
  let drawn;
  let config;
  const draw = () => {
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", model.get("description"));
    if (isHeld) return;
    isDrawn = isShown();
    if (!isDrawn || !model.get("figure")) return;
    drawn = model.get("figure");
    const { data, layout } = JSON.parse(drawn);
    if (config && mover?.isStale(layout)) return;
    const before = config;
    config = mover && layout.meta?.view ? moving : CONFIG;
    mover?.take(layout);
    Plotly.react(plot, data, { uirevision: model.get("about"), ...layout, autosize: true }, config);
    if (config !== before) mover?.listen(); // plotly begins anew then
  };
  // What would be drawn while a person drags would end the drag.
  const hold = () => {
    isHeld = true;
  };
  const letGo = () => {
    if (!isHeld) return;
    isHeld = false;
    if (model.get("figure") !== drawn) setTimeout(draw, PAUSE);
  };
  plot.addEventListener("pointerdown", hold, true);
  globalThis.addEventListener("pointerup", letGo, true);
  globalThis.addEventListener("pointercancel", letGo, true);
  // A tab that is not shown has no width: its chart is drawn when it comes to the front.
  const observer = new ResizeObserver(() => {
    if (!isShown()) return;
    if (isDrawn) Plotly.Plots.resize(plot);
    else draw();
  });
  observer.observe(plot);
  model.on("change:figure", draw);
  draw();
  return () => {
    observer.disconnect();
    globalThis.removeEventListener("pointerup", letGo, true);
    globalThis.removeEventListener("pointercancel", letGo, true);
    model.off("change:figure", draw);
    Plotly.purge(plot);
  };
}

export default { initialize, render };
