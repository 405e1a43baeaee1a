// Light, dark, or as the system has it; and colours for what is drawn by hand.

const KEY = "plume-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" } as const;
type Theme = keyof typeof NEXT;

const LABELS: Readonly<Record<Theme, string>> = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" };

/** @param onChange colours are others now. */
export function setUpTheme(button: HTMLButtonElement, onChange: () => void): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = localStorage.getItem(KEY);
  let theme: Theme = kept === "light" || kept === "dark" ? kept : "auto";
  const apply = () => {
    const dark = theme === "dark" || (theme === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = LABELS[theme];
    button.setAttribute("aria-label", `Theme: ${theme}`);
    onChange();
  };
  system.addEventListener("change", apply);
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    localStorage.setItem(KEY, theme);
    apply();
  });
  apply();
}

export const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Told apart by most eyes, on light and dark (after Tableau's ten). */
const WORKERS = [
  "#4e79a7",
  "#f28e2b",
  "#59a14f",
  "#b07aa1",
  "#e15759",
  "#76b7b2",
  "#d4a72c",
  "#9c755f",
  "#8a8a8a",
  "#d37295",
];

/** worker-3 has the same colour in every run; other names one by their letters. */
export function workerColor(name: string): string {
  const digits = /(\d+)$/.exec(name)?.[1];
  const place =
    digits === undefined ? [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) : Number(digits);
  return WORKERS[Math.abs(place) % WORKERS.length]!;
}
