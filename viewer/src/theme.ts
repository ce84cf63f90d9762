/** Light or dark: as the system has it, or as a person chose. */

export type Theme = "auto" | "light" | "dark";

const KEY = "theme";
const ORDER: readonly Theme[] = ["auto", "light", "dark"];
const light = matchMedia("(prefers-color-scheme: light)");
const listeners = new Set<() => void>();

export function chosenTheme(): Theme {
  return ORDER.find((it) => it === localStorage.getItem(KEY)) ?? "auto";
}

export function isLight(): boolean {
  const chosen = chosenTheme();
  return chosen === "auto" ? light.matches : chosen === "light";
}

/** The next one in turn. */
export function turnTheme(): Theme {
  const next = ORDER[(ORDER.indexOf(chosenTheme()) + 1) % ORDER.length] ?? "auto";
  localStorage.setItem(KEY, next);
  apply();
  return next;
}

export function onThemeChange(listener: () => void): void {
  listeners.add(listener);
}

export function apply(): void {
  document.documentElement.dataset["theme"] = chosenTheme();
  for (const listener of listeners) listener();
}

light.addEventListener("change", apply);
