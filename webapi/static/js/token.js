"use strict";

/** What a LiveKit token says of itself. Only the server can tell whether it is genuine. */
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

/** Throw the Trouble that is plain to see before any server is asked. `now` is in seconds. */
function checkFields({ url, room, token }, now = Date.now() / 1000) {
  if (!room) throw new Trouble("room-missing");
  if (!url) throw new Trouble("url-missing");
  if (!/^(wss?|https?):\/\/[^/\s]+/i.test(url)) throw new Trouble("url-bad", url);
  if (!token) throw new Trouble("token-missing");
  const claims = readToken(token);
  if (claims.expires < now) throw new Trouble("token-expired", new Date(claims.expires * 1000).toLocaleString());
  if (claims.room && claims.room !== room) throw new Trouble("token-room", claims.room);
}

/** Room, url and token from the address's fragment (never its query: that would be logged), which is then cleared. */
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("token")) history.replaceState(null, "", location.href.split("#")[0]);
  return { url: given.get("url") || "", room: given.get("room") || "", token: given.get("token") || "" };
}

/** What the node that serves this page says: {url, room, token|null, identity}. Null where no node serves it. */
async function askNode() {
  if (!location.protocol.startsWith("http")) return null;
  try {
    const answer = await fetch("api/config", { cache: "no-store", credentials: "omit" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
