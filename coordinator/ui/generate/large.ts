// One image large, and its neighbours by the arrow keys.

import { el, setText } from "../dom.ts";

export interface Shown {
  /** For <img>. */
  readonly address: Promise<string>;
  readonly label: string;
  readonly about: string;
  readonly file: string;
  readonly vary: () => void;
}

export function createLarge(): { show(all: readonly Shown[], at: number): void } {
  let all: readonly Shown[] = [];
  let at = 0;
  const image = el("img", { alt: "" });
  const says = el("h2", { id: "large-title" });
  const step = (by: number) => () => go(at + by);
  const before = el("button", { type: "button", "aria-label": "Image before", onclick: step(-1) }, "‹");
  const after = el("button", { type: "button", "aria-label": "Next image", onclick: step(1) }, "›");
  const save = el("a", { class: "button", download: "" }, "Download");
  const vary = el("button", { type: "button" }, "Variations");
  const close = el("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const buttons = el("div", { class: "buttons" }, before, after, save, vary, close);
  const dialog = el("dialog", { class: "large", "aria-labelledby": "large-title" }, image, says, buttons);
  document.body.append(dialog);
  vary.addEventListener("click", () => {
    dialog.close();
    all[at]?.vary();
  });
  dialog.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") go(at - 1);
    if (key === "ArrowRight") go(at + 1);
  });

  function go(next: number): void {
    const shown = all[next];
    if (!shown) return;
    at = next;
    before.disabled = at === 0;
    after.disabled = at === all.length - 1;
    setText(says, shown.about);
    image.alt = shown.about;
    save.download = shown.file;
    void shown.address.then(
      (source) => {
        if (all[at] !== shown) return; // another was chosen meanwhile
        image.src = source;
        save.href = source;
      },
      () => {},
    );
  }
  return {
    show(shown, first) {
      all = shown;
      go(first);
      dialog.showModal();
      close.focus();
    },
  };
}
