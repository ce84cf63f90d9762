import { defineConfig, type Plugin } from "vite";

/** All of the page, before compression, in bytes. */
const LARGEST_BUNDLE = 600_000;

/** Ends the build when the page has grown too large to be loaded at once over a slow line. */
function bounded(): Plugin {
  return {
    name: "bounded",
    generateBundle(_, bundle) {
      const size = Object.values(bundle).reduce((sum, it) => sum + Buffer.byteLength(it.type === "chunk" ? it.code : it.source), 0);
      if (size > LARGEST_BUNDLE) this.error(`the bundle has ${size} bytes; at most ${LARGEST_BUNDLE} are allowed`);
    },
  };
}

export default defineConfig({
  plugins: [bounded()],
  build: {
    // The content policy allows no inline code and no data: addresses, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    chunkSizeWarningLimit: 600,
  },
});
