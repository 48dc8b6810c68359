// Fits a chart to the place that it has: what it says and its legend to its width, and, in a box that scrolls, the
// axis to its end.
const SPARE = 8; // pixels that a legend may be too high or too low
const TALLEST = 130; // pixels of a legend, which scrolls beyond
const TICK = 85; // pixels that a moment under an axis takes
const WIDE = 600; // pixels of a plot in which plotly finds the moments by itself
const LABELS = 120; // pixels that may stand beside a plot
const LINE = 16; // pixels that another line of what a chart says takes
const EDGES = 24; // pixels beside a line
const FONT = { size: 12, family: "sans-serif" }; // before anything is drawn

class Fit {
  constructor(plot, el) {
    this.plot = plot;
    this.more = 0;
    this.pen = document.createElement("canvas").getContext("2d");
    this.axis = document.createElement("div");
    this.axis.className = "nbviz-axis";
    this.axis.hidden = true;
    this.axis.setAttribute("aria-hidden", "true");
    el.append(this.axis);
  }

  // Gives a figure the room that the legend of the one before took: it will be much the same.
  put(layout) {
    this.space(layout);
    this.made = { height: layout.height, top: layout.margin?.t, most: layout.legend?.maxheight };
    this.made.title = (1 - layout.title?.y) * layout.height;
    this.made.legend = (1 - layout.legend?.y) * layout.height;
    this.made.said = layout.title?.subtitle?.text ?? "";
    if (!this.made.height || !this.made.top) return;
    this.said = this.wrapped();
    const { height, top, most, titleY, legendY } = this.places(this.hasLegend(layout));
    Object.assign(layout, { height, margin: { ...layout.margin, t: top } });
    const subtitle = { ...layout.title?.subtitle, text: this.said };
    layout.title = { ...layout.title, y: titleY, subtitle };
    layout.legend = { ...layout.legend, y: legendY, maxheight: most };
  }

  // Plotly would cut what does not fit in a line, such as how much of it all is drawn.
  wrapped() {
    const width = this.plot.clientWidth - EDGES;
    const { family, size } = this.plot._fullLayout?.title?.subtitle?.font ?? FONT;
    this.pen.font = `${size}px ${family}`;
    const plain = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;
    const lines = [""];
    for (const word of this.made.said.split(" ")) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (lines.at(-1) && this.pen.measureText(plain(longer)).width > width) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines.join(" <br>");
  }

  // Plotly would turn times that are too many for the width, and cut them.
  space(layout) {
    for (const [name, axis] of Object.entries(layout ?? {})) {
      if (!name.startsWith("xaxis") || !axis.tickformatstops) continue;
      const [from, to] = axis.domain ?? [0, 1];
      const width = (this.plot.clientWidth - LABELS) * (to - from);
      axis.nticks = width < WIDE ? Math.max(2, Math.floor(width / TICK)) : 0; // 0 leaves it to plotly
    }
  }

  hasLegend({ showlegend }) {
    return Boolean(showlegend && this.made.most);
  }

  places(hasLegend) {
    const said = LINE * (this.said.split("<br>").length - 1);
    const legend = hasLegend ? this.more : 0;
    const height = this.made.height + said + legend;
    const [titleY, legendY] = [this.made.title, this.made.legend + said].map((from) => 1 - from / height);
    return { height, top: this.made.top + said + legend, most: this.made.most + legend, titleY, legendY };
  }

  // Python could know neither how many lines what it says has, nor how many columns the legend.
  async look(Plotly) {
    const full = this.plot._fullLayout;
    if (full && this.plot.clientWidth && this.made.height && this.made.top) {
      const hasLegend = this.hasLegend(full) && Boolean(full.legend?._height);
      const most = hasLegend ? Math.min(full.legend._height, Math.max(TALLEST, this.made.most)) : 0;
      const more = hasLegend ? Math.round(most - this.made.most) : this.more;
      const said = this.wrapped();
      if (said !== this.said || Math.abs(more - this.more) > SPARE) {
        Object.assign(this, { more, said });
        const { height, top, most, titleY, legendY } = this.places(hasLegend);
        const title = { "title.y": titleY, "title.subtitle.text": said, autosize: true }; // else it keeps its width
        const legend = hasLegend ? { "legend.y": legendY, "legend.maxheight": most } : {};
        await Plotly.relayout(this.plot, { height, "margin.t": top, ...title, ...legend });
      }
    }
    this.showAxis();
  }

  get box() {
    const box = this.plot.closest(".nbviz-timeline");
    return box && box.scrollHeight > box.clientHeight + 1 ? box : null;
  }

  // Times have to be in sight wherever a person scrolls to.
  showAxis() {
    const parts = this.box ? [...this.plot.querySelectorAll(".xaxislayer-above, .g-xtitle")] : [];
    this.axis.hidden = !parts.length;
    if (!parts.length) return;
    const { width, height, _size: size } = this.plot._fullLayout;
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("viewBox", `0 ${height - size.b} ${width} ${size.b}`);
    picture.setAttribute("width", width);
    picture.setAttribute("height", size.b);
    picture.append(...parts.map((part) => part.cloneNode(true)));
    for (const one of picture.querySelectorAll("[class]")) one.removeAttribute("class");
    this.axis.style.height = `${size.b}px`;
    this.axis.style.marginTop = `-${size.b}px`;
    this.axis.replaceChildren(picture);
  }

  // If nothing that is marked is in sight, goes to the first of it.
  reveal({ points }) {
    const { box } = this;
    if (!box || !points) return;
    const { yaxis, _size: size } = this.plot._fullLayout;
    const isIn = (number) => this.plot._fullData[number]?.yaxis === "y"; // not of the bars over a grid
    const places = points.flatMap((taken, number) =>
      (isIn(number) ? (taken ?? []) : []).map((place) => this.plot.calcdata[number]?.[place]).filter(Boolean),
    );
    const tops = places.map((point) => size.t + yaxis.c2p(point.p ?? point.y)).sort((one, other) => one - other);
    const end = box.scrollTop + box.clientHeight - size.b;
    if (!tops.length || tops.some((top) => top > box.scrollTop && top < end)) return;
    box.scrollTop = tops[0] - box.clientHeight / 2;
  }
}
