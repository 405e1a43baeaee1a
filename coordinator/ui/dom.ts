// The least that makes elements: no framework, no strings of HTML.

type Child = Node | string | number | null | undefined | false;

export interface Attributes {
  readonly [name: string]: string | number | boolean | null | undefined | ((event: Event) => void);
}

/** Attributes by name; `on...` listens; false, null and undefined leave it out. `--x` sets a property of its style. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--") || name === "left" || name === "width")
      element.style.setProperty(name, String(value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(
    ...children
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : String(child))),
  );
  return element;
}

/** @throws when index.html has no such element: a defect. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found as T;
}

/** Only when it differs: what is read aloud must not be said again. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Buttons of which one is pressed. */
export function choice<T extends string>(
  host: HTMLElement,
  options: Readonly<Record<T, string>>,
  onChoose: (key: T) => void,
): (key: T | null) => void {
  const buttons = (Object.keys(options) as T[]).map((key) => {
    const button = el(
      "button",
      { type: "button", "aria-pressed": "false", onclick: () => onChoose(key) },
      options[key],
    );
    host.append(button);
    return [key, button] as const;
  });
  return (key) => {
    for (const [each, button] of buttons) button.setAttribute("aria-pressed", String(each === key));
  };
}
