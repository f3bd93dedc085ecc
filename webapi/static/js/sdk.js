"use strict";

/** Loads livekit-client: the copy beside this page if there is one, else the same version from a CDN. */
const SDK_LOCAL = "vendor/livekit-client.umd.js";
const SDK_CDN = "https://cdn.jsdelivr.net/npm/livekit-client@2.23.0/dist/livekit-client.umd.js";
/** SHA-384 of that file as npm has it. The browser refuses every other file. */
const SDK_CDN_INTEGRITY = "sha384-HkA7rQNo8H04l1p4zoXX1Cy+h9YoYp8LvKt4vfMFhv4KFk07UkrNwIUnyBum8Pw6";

/** The livekit-client namespace. Rejects with the Trouble "sdk" where both places fail; it may be called again. */
async function loadSdk() {
  if (!window.LivekitClient) await addScript(SDK_LOCAL).catch(() => addScript(SDK_CDN, SDK_CDN_INTEGRITY)).catch(() => {});
  if (!window.LivekitClient) throw new Trouble("sdk");
  return window.LivekitClient;
}

function addScript(src, integrity) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    if (integrity) {
      script.integrity = integrity;
      script.crossOrigin = "anonymous";
    }
    script.onload = resolve;
    script.onerror = () => {
      script.remove();
      reject(new Error("no " + src));
    };
    document.head.append(script);
  });
}
