// Draws a plotly figure and redraws it in place, without a blank moment in between.
const CONFIG = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

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

async function render({ model, el }) {
  el.classList.add("nbviz-chart");
  const plot = document.createElement("div");
  el.append(plot);
  const Plotly = await loadPlotly(model);
  const isShown = () => plot.offsetParent !== null && plot.clientWidth > 0;
  let isDrawn = false;
  const draw = () => {
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", model.get("description"));
    isDrawn = isShown();
    if (!isDrawn || !model.get("figure")) return;
    const { data, layout } = JSON.parse(model.get("figure"));
    Plotly.react(plot, data, { ...layout, autosize: true }, CONFIG);
  };
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
    model.off("change:figure", draw);
    Plotly.purge(plot);
  };
}

export default { render };
