// The columns of a table, as Python sent them, and their cells. What strangers wrote is only ever set as text.
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60]];
const MONTH = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" });
const OPENING = /^(Task|Flow) run encountered an exception:? /; // Prefect's, of every error: no room for it in a cell
const NO_VALUE = { start_time: "not started", end_time: "not ended" };

function make(tag, className = "", properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), { className, ...properties });
  element.append(...children);
  return element;
}

function button(text, title, click) {
  const element = make("button", "nbviz-small", { type: "button", textContent: text, title });
  element.addEventListener("click", click);
  return element;
}

function numbers(view, Type) {
  return view && new Type(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)); // aligned
}

function ago(micros) {
  const seconds = Date.now() / 1e3 - micros / 1e6;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["min", 60];
  const count = Math.floor(Math.abs(seconds) / size);
  const length = count ? `${count.toLocaleString("en")} ${unit}` : `< 1 ${unit}`;
  return seconds < 0 ? `in ${length}` : `${length} ago`;
}

// A column as Python sent it. `keys` has a number for each row, which orders as the values do.
class Column {
  constructor(key, sent, zone) {
    Object.assign(this, { key, zone, label: sent.label, form: sent.form, types: sent.types, sent });
    this.micros = numbers(sent.micros, Float64Array);
    this.offsets = numbers(sent.offsets, Int32Array);
    this.keys = this.form === "time" ? this.micros : numbers(sent.codes, Int32Array);
  }

  get texts() {
    this.read ??= JSON.parse(this.sent.texts);
    return this.read;
  }

  has(row) {
    return this.keys[row] >= 0;
  }

  // The digits of a time in the zone, to the microsecond.
  digits(row) {
    const micros = this.micros[row];
    const seconds = Math.floor(micros / 1e6);
    const whole = new Date((seconds + this.offsets[row]) * 1e3).toISOString();
    return `${whole.slice(0, 10)} ${whole.slice(11, 19)}.${String(micros - seconds * 1e6).padStart(6, "0")}`;
  }

  text(row) {
    if (!this.has(row)) return "";
    if (this.form === "time") return this.digits(row);
    return [this.texts[this.keys[row]]].flat().join(" ");
  }

  // Fills a cell, of which the style sheet cuts what is too long: the more boxes, the longer a page takes.
  fill(cell, row, none) {
    if (!this.has(row)) return Object.assign(cell, { textContent: none }).classList.add("nbviz-quiet");
    if (this.form === "time") return this.fillTime(cell, row);
    const text = this.text(row);
    cell.title = this.form === "duration" ? `${this.micros[this.keys[row]] / 1e6} s` : text;
    if (this.form === "tags") {
      cell.append(...this.texts[this.keys[row]].map((textContent) => make("span", "nbviz-chip", { textContent })));
    } else if (this.form === "state") {
      const type = this.types[this.keys[row]];
      cell.append(make("span", `nbviz-dot${type && ` nbviz-is-${type}`}`), text);
    } else cell.textContent = this.key === "state_message" ? text.replace(OPENING, "") : text;
  }

  fillTime(cell, row) {
    const digits = this.digits(row);
    const day = new Date(`${digits.slice(0, 10)}T00:00:00Z`);
    const year = day.getUTCFullYear() === new Date().getFullYear() ? "" : ` ${day.getUTCFullYear()}`;
    const since = make("span", "nbviz-ago", { textContent: ago(this.micros[row]) });
    since.dataset.micros = this.micros[row];
    cell.title = `${digits} ${this.zone}`;
    cell.append(`${MONTH.format(day)}${year}, ${digits.slice(11, 19)} `, since);
  }
}
