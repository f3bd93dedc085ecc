"use strict";

/** Everything that can go wrong, as texts: [what happened, what to do]. `d` is a detail, often of the server or browser. */
const TROUBLES = {
  "sdk": () => ["The LiveKit client library could not be loaded, neither from this page's server nor from the CDN.",
    "Check the network, or put it beside the page: “voice-node doctor” says how. Then press Join again."],
  "url-missing": () => ["The Server field is empty.", "Enter the LiveKit server's address, such as ws://localhost:7880."],
  "url-bad": (d) => [`“${d}” is not a LiveKit server's address.`, "It begins with ws:// or wss://, such as ws://localhost:7880."],
  "room-missing": () => ["The Room field is empty.", "Enter the name of the room that the bot is in, such as demo."],
  "token-missing": () => ["The Token field is empty.", "Make one with “voice-node token --identity me” and paste it here."],
  "token-bad": (d) => ["The server does not accept this token.", withDetail("Make a new one with “voice-node token --identity me”, with the API key and secret of that server.", d)],
  "token-expired": (d) => [`This token has expired (${d}).`, "Make a new one with “voice-node token --identity me”, or load this page again if the node serves it."],
  "token-room": (d) => [`This token is for the room “${d}”, not for the one in the Room field.`, "Change the Room field, or make a token for that room: “voice-node token --identity me --room ROOM”."],
  "unreachable": (d) => [`No LiveKit server answers at ${d}.`, "Is it running? Is the address right, and does a firewall let it through? Then press Join again."],
  "no-media": () => ["The server answered, but no audio path could be opened to it.", "A firewall or VPN may block it (UDP, or TCP port 7881). Try another network."],
  "join-failed": (d) => ["The room could not be joined.", withDetail("Press Join to try again.", d)],
  "server-gone": () => ["The connection to the server is lost and could not be restored.", "See that the LiveKit server runs, then press Join again."],
  "server-stopped": () => ["The LiveKit server has shut down.", "Start it again, then press Join."],
  "removed": () => ["You were removed from the room.", "Press Join to come back."],
  "room-closed": () => ["The room was closed.", "Press Join to open it again."],
  "duplicate": () => ["The same token was used to join from another page, and that one took your place.", "Close the other page, or make a token with another identity."],
  "mic-denied": () => ["The microphone is blocked, so the bot can't hear you.", "Allow it for this page (the icon beside the address, and the system's privacy settings), then press “Turn microphone on”."],
  "mic-missing": () => ["No microphone was found, so the bot can't hear you.", "Plug one in, then press “Turn microphone on”."],
  "mic-silent": () => ["The microphone gives no sound, so the bot can't hear you.", "It was muted outside of this page: by a switch on it, or in the system's settings. Turn it on there, then press “Turn microphone on”."],
  "mic-busy": () => ["The microphone is used by another program, so the bot can't hear you.", "Close that program, then press “Turn microphone on”."],
  "mic-insecure": () => ["The browser gives no page at this address a microphone, so the bot can't hear you.", "Open the page over https, or as http://localhost on the machine that runs the node."],
  "mic-failed": (d) => ["The microphone could not be turned on, so the bot can't hear you.", withDetail("Press “Turn microphone on” to try again.", d)],
  "not-heard": (d) => ["The bot can't hear you.", withDetail(Object.hasOwn(NOBODY_HEARD, d) ? NOBODY_HEARD[d] : "Join again, or use another browser.", Object.hasOwn(NOBODY_HEARD, d) ? "" : d)],
  "page-failed": (d) => ["Something went wrong in this page.", withDetail("Load it again.", d)],
};

/** What to do, and behind it the detail: one line of at most 160 characters, without access tokens. */
function withDetail(todo, detail) {
  const said = String(detail).replace(/eyJ[\w-]*\.[\w-]*\.[\w-]*/g, "…").replace(/\s+/g, " ");
  return said ? `${todo} (It said: ${said.slice(0, 160)})` : todo;
}

/** An error for the user: `code` is for programs, `what` and `todo` are texts for people. */
class Trouble extends Error {
  constructor(code, detail = "") {
    const [what, todo] = TROUBLES[code](detail);
    super(what);
    Object.assign(this, { code, what, todo });
  }
}

/** The Trouble for an error of `Room.connect`; null where the user gave up joining. */
function troubleOfJoin(error, sdk, url) {
  if (error instanceof Trouble) return error;
  const reason = sdk.ConnectionErrorReason;
  if (!(error instanceof sdk.ConnectionError)) return new Trouble("join-failed", error.message);
  if (error.reason === reason.Cancelled) return null;
  if (error.reason === reason.NotAllowed) return new Trouble("token-bad", error.message);
  if (error.reason === reason.LeaveRequest) return troubleOfEnd(error.context, sdk) || new Trouble("join-failed", error.message);
  if (error.reason === reason.InternalError && /pc connection|peer ?connection/i.test(error.message)) return new Trouble("no-media");
  if ([reason.ServerUnreachable, reason.WebSocket, reason.Timeout, reason.InternalError].includes(error.reason)) return new Trouble("unreachable", url);
  return new Trouble("join-failed", error.message);
}

/** The Trouble for a call that ended, by LiveKit's reason; null where the user left. */
function troubleOfEnd(why, sdk) {
  const reason = sdk.DisconnectReason;
  const codes = {
    [reason.DUPLICATE_IDENTITY]: "duplicate",
    [reason.SERVER_SHUTDOWN]: "server-stopped",
    [reason.PARTICIPANT_REMOVED]: "removed",
    [reason.ROOM_DELETED]: "room-closed",
    [reason.ROOM_CLOSED]: "room-closed",
  };
  return why === reason.CLIENT_INITIATED ? null : new Trouble(codes[why] || "server-gone");
}

/** The Trouble for a microphone that could not be turned on. */
function troubleOfMicrophone(error, sdk) {
  const failure = sdk.MediaDeviceFailure.getFailure(error);
  const codes = { PermissionDenied: "mic-denied", NotFound: "mic-missing", DeviceInUse: "mic-busy" };
  if (!window.isSecureContext || !navigator.mediaDevices) return new Trouble("mic-insecure");
  return codes[failure] ? new Trouble(codes[failure]) : new Trouble("mic-failed", error.message);
}

/** What the page says of the call: [name, what the caller may do]. */
const STATES = {
  idle: ["Not in a call", "Join a room and talk to the bot."],
  joining: ["Joining", "One moment."],
  reconnecting: ["Reconnecting", "The bot can't hear you until then."],
  hungUp: ["The bot hung up", "Press Join to call again."],
  waiting: ["Waiting for the bot", "It answers as soon as it is in the room."],
  listening: ["Listening", "Say something."],
  hearing: ["Hearing you", "It answers when you stop."],
  thinking: ["Thinking", "Go on speaking if you had only paused."],
  speaking: ["Speaking", "Talk over it, and it stops."],
  insisting: ["Speaking", "This reply is played to its end."],
};

/** The node's reasons to hear nobody, as texts for the caller that it heard before. */
const NOBODY_HEARD = {
  no_track: "Your audio has left the room. Leave, and join again.",
  missing: "Your audio does not reach it. Check your network, or join again.",
  encrypted: "Your audio is encrypted end to end, and it has no key. Switch that off in your client.",
  connection_lost: "It had lost its connection to the room.",
  node_leaves: "It is leaving the room.",
};

/** Why the bot does not hear this caller, in the same form. `who` is the caller that it listens to, `why` the node's reason. */
const UNHEARD = {
  other: (who, speaking) => [`${speaking ? "Hearing" : "Listening to"} ${who}`, "Not to you: it hears one caller at a time."],
  away: (who) => ["Not heard yet", `The bot waits for ${who}, who is not in the room.`],
  nobody: (who, speaking, why) => (Object.hasOwn(NOBODY_HEARD, why) ? ["Not heard", NOBODY_HEARD[why]] : ["Not heard yet", "The bot does not listen to you yet."]),
  starting: () => ["One moment", "The microphone is being turned on."],
  muted: () => ["You are muted", "Unmute to be heard."],
  failed: () => ["Microphone is off", "Turn it on to be heard."],
  refused: () => ["Listen only", "This token lets you hear the bot, not speak to it."],
};

/** The node's events: [label in the timeline, text in the list]. The list has other events under their own name. */
const EVENTS = {
  speech_started: ["speech", "Speech started"],
  speech_ended: ["end", "Speech ended"],
  barge_in: ["barge-in", "Barge-in: the bot was talked over"],
  superseded: ["went on", "You went on: the reply was dropped unheard"],
  prompted: ["prompt", "The bot speaks of its own accord"],
  reply_started: ["reply", "Reply asked for"],
  llm_request_done: ["text", "Reply's text is done"],
  tts_first_chunk: ["voice", "Reply's first audio"],
  uninterruptible: ["insists", "This reply can't be interrupted"],
  reply_ended: ["reply done", "Reply complete"],
  reply_cut: ["cut", "Reply cut"],
  filler_started: ["filler", "Filler: the reply is late"],
  playback_started: ["playback", "Playback started"],
  playback_paused: ["halts", "The bot halts: are you speaking, or coughing?"],
  playback_resumed: ["goes on", "The bot goes on: that was a cough"],
  playback_ducked: ["soft", "The bot speaks softly: are you speaking, or saying mm-hm?"],
  playback_restored: ["loud", "The bot is loud again: that was no turn"],
  playback_ended: ["done", "Playback ended"],
  frames_dropped: ["dropped", "Late audio dropped"],
  not_heard: ["not heard", "The bot can't hear"],
  listening_to: ["listens", "The bot listens to"],
  graph_switched: ["graph", "Another graph answers"],
  graph_refused: ["refused", "A changed graph is refused, the one before goes on"],
  session_broke: ["broken", "The session broke, another follows"],
  hook_failed: ["hook failed", "A hook of the orchestrator failed"],
  mark: ["mark", "Mark of the orchestrator"],
  message_sent: ["message", "Message of the orchestrator"],
  dtmf: ["key", "Key of the phone"],
  hung_up: ["hung up", "The bot hung up"],
};

/** The parts of the wait that the node names. Each has a colour of its name in the style sheet. */
const PARTS = {
  endpointing: "Detecting your pause",
  node: "The node itself",
  speech_to_text: "Speech to text",
  llm_first_token: "Language model, first words",
  language_model: "Language model",
  text_to_speech: "Text to speech",
  orchestrator: "Orchestrator",
};
