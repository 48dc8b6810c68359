"use strict";
{
  const read = (id) => document.getElementById(id).textContent;
  const charts = JSON.parse(read("charts"));
  const dark = JSON.parse(read("dark"));
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const PAPER = 690; // pixels of width between the margins of a sheet

  /** Gives a chart in the colours of a dark page: only what is a colour by its name is looked at. */
  const darkened = (value, isColor = false) => {
    if (typeof value === "string") {
      return isColor && value.slice(0, 7) in dark ? dark[value.slice(0, 7)] + value.slice(7) : value;
    }
    if (Array.isArray(value)) return value.map((one) => darkened(one, isColor));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, darkened(one, /color$/i.test(name))]));
  };

  const draw = (isDark, width) => {
    for (const [key, chart] of Object.entries(charts)) {
      const place = document.getElementById(`chart-${key}`);
      const { data, layout } = isDark ? darkened(chart) : structuredClone(chart);
      const size = width ? { width, autosize: false } : { autosize: true };
      const config = { responsive: !width, displaylogo: false };
      Plotly.react(place, data, { ...layout, ...size }, config).catch((error) => {
        place.textContent = `This chart could not be drawn: ${error.message}`;
      });
    }
  };

  const drawForScreen = () => draw(prefersDark.matches);
  prefersDark.addEventListener("change", drawForScreen);
  addEventListener("beforeprint", () => draw(false, PAPER));
  addEventListener("afterprint", drawForScreen);
  drawForScreen();
}
