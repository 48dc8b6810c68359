// Chips for what is set, "+ Filter", "Clear", and the menu of presets; and which field is shown under the bar.
function render({ model, el }) {
  el.classList.add("nbviz-bar");
  const chips = attributes(make("div", "nbviz-chips"), { role: "group", "aria-label": "Filters that are set" });
  const button = (text, className = "nbviz-quiet") => make("button", className, { type: "button", textContent: text });
  const add = attributes(button("+ Filter", "nbviz-quiet nbviz-add"), { "aria-haspopup": "dialog" });
  const clear = button("Clear");
  const keep = attributes(button("Presets ▾"), { "aria-haspopup": "dialog" });
  chips.append(add, clear, keep);
  el.append(chips);
  const controls = () => el.closest(".nbviz-controls") ?? el;
  const fieldOf = (word) => controls().querySelector(`.nbviz-field-${CSS.escape(word)}`);

  // The field of a criterion: shown here and now, and told to the kernel, which may be busy.
  const setOpen = (word) => {
    model.set("edited", word);
    model.save_changes();
    showField();
  };
  const showField = () => {
    const word = model.get("edited");
    const editor = controls().querySelector(".nbviz-editor");
    if (!editor) return;
    let isShown = false;
    for (const field of editor.querySelectorAll(".nbviz-field")) {
      const isOpen = Boolean(word) && field.classList.contains(`nbviz-field-${word}`);
      field.classList.toggle("nbviz-open", isOpen);
      isShown ||= isOpen;
    }
    editor.classList.toggle("nbviz-open", isShown);
    for (const chip of chips.querySelectorAll("[data-word]"))
      chip.classList.toggle("nbviz-edited", isShown && chip.dataset.word === word);
  };
  const edit = (word) => {
    const isInSight = word === "state_type";
    setOpen(isInSight ? "" : word);
    const field = fieldOf(word);
    const wanted = isInSight ? "[aria-pressed=true]" : "input, select";
    (field?.querySelector(wanted) ?? field?.querySelector("button"))?.focus();
  };
  const chipOf = (word) => [...chips.querySelectorAll("[data-word]")].find((one) => one.dataset.word === word);
  let awaited = ""; // a chip that the kernel has yet to send, as after a quick Escape
  const focusChip = (word) => {
    const face = chipOf(word)?.querySelector("button");
    (face ?? add).focus();
    awaited = face ? "" : word;
  };
  add.addEventListener("blur", () => (awaited = ""));

  const remove = (word) => model.send({ do: "remove", word });
  const chip = ({ word, label, text, can_edit: canEdit }) => {
    const face = button("", "nbviz-chip-face");
    face.append(make("span", "nbviz-chip-label", { textContent: label }), make("b", "", { textContent: text }));
    face.title = `${label}: ${text}\n${canEdit ? "Enter or click: change. " : "Set in code. "}Delete: remove`;
    face.setAttribute("aria-label", `${label}: ${text}`);
    if (canEdit) face.addEventListener("click", () => (model.get("edited") === word ? setOpen("") : edit(word)));
    const cross = attributes(button("×", "nbviz-remove"), { "aria-label": `Remove ${label}`, tabindex: "-1" });
    cross.addEventListener("click", () => remove(word));
    const whole = make("span", "nbviz-chip", {}, face, cross);
    whole.dataset.word = word;
    whole.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") remove(word);
      else if (event.key === "ArrowRight") (whole.nextElementSibling?.querySelector?.("button") ?? add).focus();
      else if (event.key === "ArrowLeft") whole.previousElementSibling?.querySelector("button")?.focus();
      else return;
      event.preventDefault();
    });
    return whole;
  };
  const drawChips = () => {
    const old = [...chips.querySelectorAll(".nbviz-chip")];
    const place = old.findIndex((one) => one.contains(document.activeElement));
    const word = old[place]?.dataset.word;
    old.forEach((one) => one.remove());
    add.before(...model.get("chips").map(chip));
    clear.hidden = !model.get("can_clear");
    if (place >= 0) {
      const now = [...chips.querySelectorAll(".nbviz-chip")];
      const next = chipOf(word) ?? now[Math.min(place, now.length - 1)];
      (next?.querySelector("button") ?? add).focus();
    }
    if (awaited && chipOf(awaited)) focusChip(awaited);
    showField();
  };

  // + Filter
  const search = make("input", "nbviz-search", { type: "text", placeholder: "Find a filter", autocomplete: "off" });
  search.setAttribute("aria-label", "Find a filter");
  const groups = () =>
    model.get("menu").map(([title, entries]) => ({
      title,
      options: entries.map(({ word, label, hint, is_set: isSet }) => {
        return { key: word, text: label, also: `${title} ${hint}`, isChosen: isSet };
      }),
    }));
  const pick = (word) => {
    menu.close();
    edit(word);
  };
  const list = listbox({ input: search, name: "Filters", groups, pick });
  const menuPanel = attributes(make("div", "nbviz-menu", {}, search, list.element), { role: "dialog", "aria-label": "Add a filter" });
  const menu = popup(add, menuPanel, {
    closed: () => {
      add.setAttribute("aria-expanded", "false");
      search.setAttribute("aria-expanded", "false");
    },
  });
  const openMenu = () => {
    search.value = "";
    list.draw();
    list.mark(0);
    menu.open();
    add.setAttribute("aria-expanded", "true");
    search.setAttribute("aria-expanded", "true");
    search.focus({ preventScroll: true });
  };
  add.addEventListener("click", () => (menu.isOpen() ? menu.close() : openMenu()));
  search.addEventListener("input", () => {
    list.draw();
    list.mark(list.count() ? 0 : -1);
    menu.place();
  });
  search.addEventListener("keydown", (event) => {
    if (list.key(event)) return;
    if (event.key === "Escape" || event.key === "Tab") {
      menu.close();
      add.focus();
      if (event.key === "Escape") event.preventDefault();
      event.stopPropagation();
    }
  });

  // Presets
  const rows = make("div", "nbviz-preset-rows");
  const name = make("input", "nbviz-search", { type: "text", placeholder: "Name of the filter as it is now", maxLength: 80 });
  name.setAttribute("aria-label", "Name to save the filter under");
  const save = button("Save", "nbviz-plain");
  const text = make("textarea", "nbviz-json", { rows: 5, spellcheck: false });
  text.setAttribute("aria-label", "The filter as JSON");
  const copy = button("Copy", "nbviz-plain");
  const apply = button("Apply", "nbviz-plain");
  apply.title = "Make this JSON the filter: paste one that was copied elsewhere";
  const said = attributes(make("div", "nbviz-said"), { role: "status", "aria-live": "polite" });
  const title = (words) => make("div", "nbviz-list-title", { textContent: words });
  const presetPanel = attributes(
    make(
      "div",
      "nbviz-menu nbviz-presets",
      {},
      rows,
      title("Save"),
      make("div", "nbviz-line-of", {}, name, save),
      title("Share, as JSON"),
      text,
      make("div", "nbviz-line-of", {}, copy, apply),
      said,
    ),
    { role: "dialog", "aria-label": "Presets" },
  );
  const presets = popup(keep, presetPanel, {
    tallest: 640,
    closed: () => keep.setAttribute("aria-expanded", "false"),
  });
  const say = (words, isWrong = false) => {
    said.textContent = words;
    said.classList.toggle("nbviz-wrong", isWrong);
    if (presets.isOpen()) presets.place();
  };
  const presetRow = ({ name: called, about, is_own: isOwn }) => {
    const load = make("button", "nbviz-preset", { type: "button", textContent: called, title: about });
    load.addEventListener("click", () => {
      model.send({ do: "load", name: called, is_own: isOwn });
      load.focus();
    });
    const row = make("div", "nbviz-preset-row", {}, load);
    if (!isOwn) return row;
    const cross = attributes(button("×", "nbviz-remove"), { "aria-label": `Delete ${called}` });
    cross.addEventListener("click", () => model.send({ do: "delete", name: called }));
    row.append(cross);
    return row;
  };
  let isEntered = true;
  const enterPresets = () => {
    const first = rows.querySelector("button");
    if (isEntered || !first) return;
    isEntered = true;
    first.focus({ preventScroll: true });
  };
  const drawPresets = () => {
    const all = model.get("presets");
    const place = [...rows.querySelectorAll("button")].indexOf(document.activeElement);
    const own = all.filter(({ is_own: isOwn }) => isOwn);
    rows.replaceChildren(
      title("Built in"),
      ...all.filter(({ is_own: isOwn }) => !isOwn).map(presetRow),
      ...(own.length ? [title("Yours"), ...own.map(presetRow)] : []),
    );
    const faces = rows.querySelectorAll("button");
    if (place >= 0 && presets.isOpen()) faces[Math.min(place, faces.length - 1)]?.focus();
    if (presets.isOpen()) presets.place();
    enterPresets();
  };
  const openPresets = () => {
    say("");
    text.value = model.get("json");
    model.send({ do: "presets" });
    presets.open();
    keep.setAttribute("aria-expanded", "true");
    isEntered = false; // the first time, the list comes only now
    enterPresets();
  };
  keep.addEventListener("click", () => (presets.isOpen() ? presets.close() : openPresets()));
  const saveIt = () => {
    model.send({ do: "save", name: name.value });
    name.value = "";
  };
  save.addEventListener("click", saveIt);
  name.addEventListener("keydown", (event) => event.key === "Enter" && saveIt());
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.value);
      say("Copied.");
    } catch {
      text.select();
      say("This page may not copy: the text is selected, press Ctrl+C.");
    }
  });
  apply.addEventListener("click", () => model.send({ do: "apply", text: text.value }));
  presetPanel.addEventListener("keydown", (event) => {
    const faces = [...rows.querySelectorAll(".nbviz-preset")];
    const place = faces.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      presets.close();
      keep.focus();
    } else if (step && place >= 0) {
      faces[(place + step + faces.length) % faces.length].focus();
    } else if (event.key === "Delete" && place >= 0) {
      faces[place].nextElementSibling?.click();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  el.append(menuPanel, presetPanel);

  clear.addEventListener("click", () => {
    model.send({ do: "clear" });
    add.focus();
  });
  const escape = (event) => {
    const editor = controls().querySelector(".nbviz-editor.nbviz-open");
    if (event.key !== "Escape" || !editor?.contains(event.target)) return;
    const word = model.get("edited");
    setOpen("");
    focusChip(word);
    event.preventDefault();
  };
  let before = model.get("edited");
  const opened = () => {
    const editor = controls().querySelector(".nbviz-editor");
    const wasThere = editor?.contains(document.activeElement);
    showField();
    if (!model.get("edited") && wasThere) focusChip(before);
    before = model.get("edited");
  };
  model.on("change:chips change:can_clear", drawChips);
  model.on("change:menu", () => menu.isOpen() && list.draw());
  model.on("change:edited", opened);
  model.on("change:presets", drawPresets);
  model.on("change:json", () => (text.value = model.get("json")));
  model.on("change:message change:is_wrong", () => say(model.get("message"), model.get("is_wrong")));
  drawChips();
  let whole = null;
  // The rest of the controls is put around this only after it is drawn.
  const placed = new ResizeObserver(() => {
    if (!el.isConnected || whole) return;
    whole = controls();
    whole.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes keys such as Enter and the arrows
    whole.addEventListener("keydown", escape);
    showField();
    placed.disconnect();
  });
  placed.observe(el);
  return () => {
    placed.disconnect();
    whole?.removeEventListener("keydown", escape);
    menu.close();
    presets.close();
  };
}

export default { render };
