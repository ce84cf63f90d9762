/** Tells a person who looks elsewhere, on the desktop, that something waits for them; only where they have asked for it. */

export class Notifier {
  /** Asks for the permission; it has its place where it is always seen. */
  readonly button = document.createElement("button");
  readonly #shown = new Map<string, Notification>();

  constructor() {
    Object.assign(this.button, { type: "button", className: "notify", title: "Shows on the desktop that something waits for you", textContent: "Notify me" });
    this.button.hidden = !("Notification" in window) || Notification.permission !== "default";
    this.button.addEventListener("click", () => {
      void Notification.requestPermission().then((answer) => (this.button.hidden = answer !== "default"));
    });
  }

  /** `id` is of what waits; it is shown once, whichever pages are open. */
  came(id: string, title: string, body: string): void {
    if (!("Notification" in window) || Notification.permission !== "granted" || document.hasFocus()) return;
    try {
      const shown = new Notification(title, { body, tag: id });
      shown.onclick = () => {
        window.focus();
        shown.close();
      };
      this.#shown.set(id, shown);
    } catch {
      // Phones have no notifications of pages.
    }
  }

  /** It waits no longer. */
  gone(id: string): void {
    this.#shown.get(id)?.close();
    this.#shown.delete(id);
  }
}
