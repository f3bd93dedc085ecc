"use strict";

const TOPIC = "voice_node.events"; // the node's messages, JSON
const BOT_WAIT_MS = 4000; // after this time without a bot the page says that there is none

/**
 * One call: joins the room, publishes the microphone, plays the bot's audio, passes on the node's messages.
 * Only the bot's audio is played: with two pages on one desk, the other caller's audio would make a feedback loop.
 *
 * `look` compares the room with what was reported last, and reports the differences. Events of the SDK only cause a look,
 * so their order does not matter, and a missing one is made good by the next look.
 * `on` has a function for each of: call(state), bot(present), mic(state, trouble), audio(state), message(object), trouble(Trouble), news(text).
 */
class Call {
  /** `bot` is the bot's identity where it is known; "" makes every agent a bot. */
  constructor(sdk, on, bot = "") {
    this.sdk = sdk;
    this.on = on;
    this.bot = bot;
    this.context = new AudioContext();
    this.callerMeter = null;
    this.measured = null; // the MediaStreamTrack of callerMeter
    this.playing = new Map(); // the bot's tracks that are played → {element, meter}
    this.told = { bots: [], mic: "", audio: "none" }; // what was reported to `on` last
    this.joined = this.leaving = this.over = false;
    this.fault = ""; // the last error of this page that was reported
    this.room = new sdk.Room({
      audioCaptureDefaults: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    this.microphone = new Microphone(sdk, this.room);
    this.listen();
  }

  /** Resolves when the room is joined and the microphone asked for. Rejects with a Trouble; with null where the user gave up. */
  async join(url, token) {
    this.on.call("joining");
    this.context.resume(); // must happen within the click; not awaited, as it resolves only when the browser allows audio
    try {
      await this.room.connect(url, token);
    } catch (error) {
      await this.leave();
      throw troubleOfJoin(error, this.sdk, url);
    }
    this.on.call("joined");
    this.joined = true;
    this.name = this.room.name;
    this.missing = setTimeout(() => {
      if (!this.bots.length) this.on.news(`Joined ${this.name}. There is no bot in this room: start one with “voice-node --room ${this.name}”.`);
    }, BOT_WAIT_MS);
    this.microphone.start();
    this.look();
  }

  /** Leave the room. May be called at any time, also while joining. */
  async leave() {
    this.leaving = true;
    await this.room.disconnect();
    this.end();
  }

  /** Free everything, after leaving the room or losing it for good. */
  end() {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.missing);
    this.microphone.stop();
    this.callerMeter = null;
    for (const track of [...this.playing.keys()]) this.silence(track);
    this.context.close();
  }

  /** Play the audio that the browser has blocked. Must be called within a click. */
  async hear() {
    await Promise.all([this.room.startAudio(), this.context.resume()]);
    this.look();
  }

  levels() {
    const bot = [...this.playing.values()].map(({ meter }) => (meter ? meter.level() : 0));
    return { caller: this.callerMeter ? this.callerMeter.level() : 0, bot: Math.max(0, ...bot) };
  }

  get identity() {
    return this.room.localParticipant.identity;
  }

  /** Identities of everybody else in the room. */
  get others() {
    return [...this.room.remoteParticipants.keys()];
  }

  get bots() {
    return [...this.room.remoteParticipants.values()].filter((participant) => this.isBot(participant));
  }

  /** By kind and identity, which come from the token. Not by the name of a track, which every participant can choose. */
  isBot(participant) {
    const agent = participant.kind === this.sdk.ParticipantKind.AGENT;
    return agent && (!this.bot || participant.identity === this.bot);
  }

  // ---------------------------------------------------------------- the room as it is

  /** Report what has changed in the room, play the bot, publish the microphone. Cheap; the page calls it every 20 ms. */
  look() {
    if (!this.joined || this.leaving || this.over) return;
    for (const part of [this.lookForBots, this.lookForSound, this.lookAtMicrophone, this.measureMicrophone]) {
      guarded(part.bind(this), (error) => this.failed(error))();
    }
  }

  /** Compares sids: a bot that takes the place of another one has the same identity and another sid. */
  lookForBots() {
    const [before, now] = [this.told.bots, this.bots.map((bot) => bot.sid)];
    if (before.length === now.length && now.every((sid) => before.includes(sid))) return;
    this.told.bots = now;
    if (before.some((sid) => !now.includes(sid))) this.on.bot(false);
    if (now.length) this.on.bot(true);
  }

  lookForSound() {
    const there = this.bots.flatMap((bot) => [...bot.audioTrackPublications.values()].map((publication) => publication.track));
    for (const track of [...this.playing.keys()]) if (!there.includes(track)) this.silence(track);
    for (const track of there) if (track && !this.playing.has(track)) this.play(track);
    const allowed = this.room.canPlaybackAudio && this.context.state === "running";
    const audio = this.playing.size ? (allowed ? "playing" : "blocked") : "none"; // without a bot nothing is blocked
    if (audio !== this.told.audio) this.on.audio((this.told.audio = audio));
  }

  lookAtMicrophone() {
    this.microphone.look(performance.now());
    const { state, trouble } = this.microphone;
    const mic = `${state} ${state === "failed" ? trouble.code : ""}`;
    if (mic === this.told.mic) return;
    this.told.mic = mic;
    this.on.mic(state, trouble);
  }

  /** The meter follows the track, which changes with the device and after a reconnect. */
  measureMicrophone() {
    const track = this.microphone.track?.mediaStreamTrack ?? null;
    if (track === this.measured) return;
    this.measured = track;
    this.callerMeter?.close();
    this.callerMeter = null;
    if (track) this.callerMeter = new Meter(this.context, track);
  }

  play(track) {
    const played = { element: track.attach(), meter: null };
    this.playing.set(track, played);
    document.getElementById("sound").append(played.element); // Chromium feeds WebAudio only from a track that an element plays
    played.meter = new Meter(this.context, track.mediaStreamTrack);
  }

  silence(track) {
    const { element, meter } = this.playing.get(track);
    this.playing.delete(track);
    track.detach();
    element.remove(); // by itself: a track that is gone has detached its elements already
    meter?.close();
  }

  // ---------------------------------------------------------------- the room's events

  hearMessage(payload, participant, topic) {
    if (topic !== TOPIC || !participant || !this.isBot(participant)) return; // anyone in the room may send messages: only the bot's count
    this.look(); // first: it may be another bot than the one that sent the last message
    let message;
    try {
      message = JSON.parse(new TextDecoder().decode(payload));
    } catch {
      return;
    }
    if (message && typeof message === "object" && typeof message.event === "string") this.on.message(message);
  }

  listen() {
    const { RoomEvent } = this.sdk;
    const on = (event, handler) => this.room.on(event, guarded(handler, (error) => this.failed(error)));
    const changes = ["ParticipantConnected", "ParticipantDisconnected", "TrackPublished", "TrackSubscribed", "TrackUnsubscribed", "LocalTrackPublished", "LocalTrackUnpublished"];
    for (const change of changes) on(RoomEvent[change], () => queueMicrotask(() => this.look())); // after the SDK has handled the change
    on(RoomEvent.DataReceived, (payload, participant, _, topic) => this.hearMessage(payload, participant, topic));
    on(RoomEvent.SignalReconnecting, () => this.on.call("reconnecting"));
    on(RoomEvent.Reconnecting, () => this.on.call("reconnecting"));
    on(RoomEvent.Reconnected, () => {
      this.microphone.renewed();
      this.on.call("joined");
      this.look();
    });
    on(RoomEvent.Disconnected, (why) => {
      this.end();
      this.on.call("idle", troubleOfEnd(why, this.sdk));
    });
  }

  /** Report an error of this page once. The call goes on. */
  failed(error) {
    if (String(error) === this.fault) return;
    this.fault = String(error);
    console.error(error);
    this.on.trouble(error);
  }
}

/**
 * The handler, for the SDK: an exception or a rejection goes to `report` and never reaches the SDK. The SDK emits events in
 * the middle of its own work and stops that work if a handler throws: after a reconnect it then publishes no microphone.
 */
function guarded(handler, report) {
  const failed = (error) => {
    try {
      report(error);
    } catch (worse) {
      console.error(worse);
    }
  };
  return (...given) => {
    try {
      Promise.resolve(handler(...given)).catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
