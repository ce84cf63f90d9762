import { defineConfig } from "vite";

export default defineConfig({
  build: {
    // The content policy allows no inline code and no data: addresses, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    chunkSizeWarningLimit: 600,
  },
});
