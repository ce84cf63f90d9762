/**
 * Lets xterm.js style itself under `style-src 'self'`.
 *
 * It writes `<style>` elements and `style` attributes, which the content policy forbids because
 * injected markup could do the same. Style sheets and properties set by script are allowed, so both
 * are turned into those: a `<style>` element's text becomes an adopted sheet, a `style` attribute
 * set on a span becomes its `cssText`.
 */

export function installStylePolicy(target: Document): void {
  const createElement = target.createElement.bind(target) as (name: string, options?: ElementCreationOptions) => HTMLElement;
  target.createElement = ((name: string, options?: ElementCreationOptions): HTMLElement => {
    // An empty style element would already be reported as a breach; a template is as silent as it.
    return name === "style" ? adopted(target, createElement("template")) : createElement(name, options);
  }) as Document["createElement"];

  const prototype = HTMLSpanElement.prototype;
  const setAttribute = prototype.setAttribute;
  prototype.setAttribute = function (this: HTMLSpanElement, name: string, value: string): void {
    if (name === "style") {
      this.style.cssText = value;
    } else {
      setAttribute.call(this, name, value);
    }
  };
}

/** Makes `element` stand for a sheet: its text is the sheet's, and it takes the sheet along when removed. */
function adopted(target: Document, element: HTMLElement): HTMLElement {
  const sheet = new CSSStyleSheet();
  target.adoptedStyleSheets.push(sheet);
  Object.defineProperty(element, "textContent", {
    get: () => [...sheet.cssRules].map((rule) => rule.cssText).join("\n"),
    set: (text: string) => sheet.replaceSync(text),
  });
  const remove = element.remove.bind(element);
  element.remove = () => {
    target.adoptedStyleSheets = target.adoptedStyleSheets.filter((it) => it !== sheet);
    remove();
  };
  return element;
}
