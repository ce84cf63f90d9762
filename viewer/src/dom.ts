/** Small helpers to build pages. Text is only ever set as text, so no value can become markup. */

type Attributes = Readonly<Record<string, string>>;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Sets text only when it differs, so that screen readers and selections are left in peace. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

export function button(label: string, description: string, press: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", "aria-label": description, title: description }, label);
  made.addEventListener("click", press);
  return made;
}

/** The places from the outermost to where the terminal stands. */
export function fillBreadcrumb(target: HTMLElement, places: readonly string[]): void {
  if (target.dataset["places"] === JSON.stringify(places)) return;
  target.dataset["places"] = JSON.stringify(places);
  target.replaceChildren(...places.map((place) => element("li", {}, place)));
}

export function breadcrumb(): HTMLOListElement {
  return element("ol", { class: "breadcrumb", "aria-label": "Place" });
}
