/**
 * Draws a terminal with the graphics card where the browser has one. xterm.js draws with the page's own elements
 * otherwise, and from the moment on in which the card is lost.
 */

import { WebglAddon } from "@xterm/addon-webgl";
import type { Terminal } from "@xterm/xterm";

/** The terminal has to be on the page. `mount` tells in `data-renderer` which of the two draws. */
export function drawFast(terminal: Terminal, mount: HTMLElement): void {
  mount.dataset["renderer"] = "dom";
  if (!hasGraphicsCard()) return;
  try {
    const webgl = new WebglAddon();
    webgl.onContextLoss(() => {
      webgl.dispose();
      mount.dataset["renderer"] = "dom";
    });
    terminal.loadAddon(webgl);
    mount.dataset["renderer"] = "webgl";
  } catch {
    // The browser has promised more than it has.
  }
}

/** What imitates a card with the processor, by the names it gives itself. It is slower than the page's elements. */
const IMITATIONS = /swiftshader|llvmpipe|softpipe|software|basic render/i;

function hasGraphicsCard(): boolean {
  const context = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (context === null) return false;
  const names = context.getExtension("WEBGL_debug_renderer_info");
  const name: unknown = context.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER);
  // Browsers keep only a few contexts.
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return typeof name === "string" && !IMITATIONS.test(name);
}
