// Tells Python whether the page is dark, and whether the widget is still on it; hides what stands for it elsewhere.
const shown = new WeakMap(); // by model: how many views it has here

const isDark = () => {
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  const code = document.body.dataset.vscodeThemeKind;
  if (code !== undefined) return code.includes("dark");
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
};

function render({ model }) {
  const tell = () => {
    model.set("theme", isDark() ? "dark" : "light");
    model.save_changes();
  };
  const count = (step) => {
    const views = (shown.get(model) ?? 0) + step;
    shown.set(model, views);
    model.set("is_shown", views > 0);
    model.save_changes();
  };
  const observer = new MutationObserver(tell);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"],
  });
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", tell);
  tell();
  count(1);
  const hiding = document.createElement("style");
  if (model.get("hidden")) hiding.textContent = `.${model.get("hidden")} { display: none; }`;
  document.head.append(hiding);
  return () => {
    count(-1);
    hiding.remove();
    observer.disconnect();
    media.removeEventListener("change", tell);
  };
}

export default { render };
