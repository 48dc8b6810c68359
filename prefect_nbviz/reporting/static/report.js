"use strict";
{
  const PAPER = 690; // pixels of width between the margins of a sheet
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const places = [...document.querySelectorAll(".chart")];

  const unpacked = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  /** Gives a chart in the colours of a dark page: only what is a colour by its name is looked at. */
  const darkened = (value, dark, isColor = false) => {
    if (typeof value === "string") {
      return isColor && value.slice(0, 7) in dark ? dark[value.slice(0, 7)] + value.slice(7) : value;
    }
    if (Array.isArray(value)) return value.map((one) => darkened(one, dark, isColor));
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([name, one]) => [name, darkened(one, dark, /color$/i.test(name))]));
  };

  const fail = (place, error) => {
    place.textContent = `This chart could not be drawn (${error.message}). A browser of 2023 or later can.`;
  };

  const draw = (charts, dark, width) => {
    for (const place of places) {
      const chart = charts[place.dataset.chart];
      const { data, layout } = dark ? darkened(chart, dark) : structuredClone(chart);
      const size = width ? { width, autosize: false } : { autosize: true };
      Plotly.react(place, data, { ...layout, ...size }, { responsive: !width, displaylogo: false }).catch((error) =>
        fail(place, error),
      );
    }
  };

  const begin = async () => {
    const [plotly, charts, dark] = await Promise.all(["plotly", "charts", "dark"].map(unpacked));
    const script = document.createElement("script");
    script.textContent = plotly;
    document.head.append(script);
    const [held, colors] = [JSON.parse(charts), JSON.parse(dark)];
    const drawForScreen = () => draw(held, prefersDark.matches ? colors : null);
    prefersDark.addEventListener("change", drawForScreen);
    addEventListener("beforeprint", () => draw(held, null, PAPER));
    addEventListener("afterprint", drawForScreen);
    drawForScreen();
  };

  begin().catch((error) => places.forEach((place) => fail(place, error)));
}
