"use strict";

/** The claims of a LiveKit token. Only the server can check its signature. */
function readToken(token) {
  try {
    const payload = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(payload), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return { identity: claims.sub || "", room: (claims.video && claims.video.room) || "", expires: claims.exp || Infinity };
  } catch {
    throw new Trouble("token-bad", "not a token");
  }
}

/** Throw a Trouble for a mistake in the fields that can be found without the server. `now` is in seconds. */
function checkFields({ url, room, token }, now = Date.now() / 1000) {
  if (!room) throw new Trouble("room-missing");
  if (!url) throw new Trouble("url-missing");
  if (!/^(wss?|https?):\/\/[^/\s]+/i.test(url)) throw new Trouble("url-bad", url);
  if (!token) throw new Trouble("token-missing");
  const claims = readToken(token);
  if (claims.expires < now) throw new Trouble("token-expired", new Date(claims.expires * 1000).toLocaleString());
  if (claims.room && claims.room !== room) throw new Trouble("token-room", claims.room);
}

/** Room, url, token and bot from the address's fragment, which is then cleared. (Not from its query, which servers log.) */
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("token")) history.replaceState(null, "", location.href.split("#")[0]);
  return Object.fromEntries(["url", "room", "token", "bot"].map((name) => [name, given.get(name) || ""]));
}

/** The configuration from the node that serves this page: {url, room, token|null, identity, bot}. Null where no node serves it. */
async function askNode() {
  if (!location.protocol.startsWith("http")) return null;
  try {
    const answer = await fetch("api/config", { cache: "no-store", credentials: "omit" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
