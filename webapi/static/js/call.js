"use strict";

const TOPIC = "voice_node.events"; // the node's messages, JSON
const BOT_TRACK = "bot_out"; // a participant with a track of this name is a bot, also where it is not marked as an agent
const BOT_WAIT_MS = 4000; // after this time without a bot the page says that there is none

/**
 * One call: joins the room, publishes the microphone, plays the bot's audio, passes on the node's messages.
 * Only the bot's audio is played: with two pages on one desk, the other caller's audio would make a feedback loop.
 * `on` has a function for each of: call(state), bot(present), mic(state), audio(state), message(object), trouble(Trouble), news(text).
 */
class Call {
  constructor(sdk, on) {
    this.sdk = sdk;
    this.on = on;
    this.context = new AudioContext();
    this.callerMeter = null;
    this.botMeters = new Map(); // track sid → Meter
    this.bots = new Set(); // identities
    this.leaving = false;
    this.room = new sdk.Room({
      audioCaptureDefaults: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
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
    this.name = this.room.name;
    for (const participant of this.room.remoteParticipants.values()) this.meet(participant);
    this.audioAllowed();
    this.missing = setTimeout(() => {
      if (!this.bots.size) this.on.news(`Joined ${this.name}. There is no bot in this room: start one with “voice-node --room ${this.name}”.`);
    }, BOT_WAIT_MS);
    if (this.maySpeak()) await this.setMicrophone(true);
    else this.on.mic("refused");
  }

  /** Leave the room. May be called at any time, also while joining. */
  async leave() {
    this.leaving = true;
    clearTimeout(this.missing);
    await this.room.disconnect();
    this.callerMeter = null;
    this.botMeters.clear();
    if (this.context.state !== "closed") await this.context.close();
  }

  async setMicrophone(on) {
    try {
      await this.room.localParticipant.setMicrophoneEnabled(on);
      this.on.mic(on ? "on" : "muted");
    } catch (error) {
      this.on.mic("failed");
      this.on.trouble(troubleOfMicrophone(error, this.sdk));
    }
  }

  /** Play the audio that the browser has blocked. Must be called within a click. */
  async hear() {
    await Promise.all([this.room.startAudio(), this.context.resume()]);
    this.audioAllowed();
  }

  levels() {
    const bot = [...this.botMeters.values()].map((meter) => meter.level());
    return { caller: this.callerMeter ? this.callerMeter.level() : 0, bot: Math.max(0, ...bot) };
  }

  get identity() {
    return this.room.localParticipant.identity;
  }

  maySpeak() {
    const may = this.room.localParticipant.permissions;
    const sources = may ? may.canPublishSources : [];
    return !may || (may.canPublish && (!sources.length || sources.includes(2))); // 2: TrackSource.MICROPHONE
  }

  isBot(participant) {
    const named = [...participant.trackPublications.values()].some((publication) => publication.trackName === BOT_TRACK);
    return participant.isAgent || named;
  }

  meet(participant) {
    if (!this.isBot(participant) || this.bots.has(participant.identity)) return;
    this.bots.add(participant.identity);
    this.on.bot(true);
  }

  part(participant) {
    if (this.bots.delete(participant.identity) && !this.bots.size && !this.leaving) this.on.bot(false);
  }

  play(track, participant) {
    this.meet(participant);
    if (track.kind !== "audio" || !this.bots.has(participant.identity)) return;
    document.getElementById("sound").append(track.attach()); // Chromium gives WebAudio the audio of a track only while an element plays it
    this.botMeters.set(track.sid, new Meter(this.context, track.mediaStreamTrack));
    this.audioAllowed();
  }

  stop(track) {
    for (const element of track.detach()) element.remove();
    this.botMeters.get(track.sid)?.close();
    this.botMeters.delete(track.sid);
    if (!this.botMeters.size) this.on.audio("none");
  }

  measureMicrophone(publication) {
    if (publication.source !== this.sdk.Track.Source.Microphone) return;
    const measure = () => {
      this.callerMeter?.close();
      this.callerMeter = new Meter(this.context, publication.track.mediaStreamTrack);
    };
    publication.track.on("restarted", () => {
      measure(); // another device, or back after a reconnect
      this.on.mic("on");
    });
    publication.track.on("ended", () => {
      this.on.mic("failed");
      this.on.trouble(new Trouble("mic-missing"));
    });
    measure();
  }

  /** Report whether audio is playing or blocked; nothing is reported while there is no bot. */
  audioAllowed() {
    if (!this.botMeters.size) return;
    const allowed = this.room.canPlaybackAudio && this.context.state === "running";
    this.on.audio(allowed ? "playing" : "blocked");
  }

  hearMessage(payload, participant, topic) {
    if (topic !== TOPIC || !participant) return;
    this.meet(participant);
    if (!this.bots.has(participant.identity)) return; // anyone in the room may send messages: only the bot's count
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
    const { room, on } = this;
    room.on(RoomEvent.ParticipantConnected, (participant) => this.meet(participant));
    room.on(RoomEvent.TrackPublished, (_, participant) => this.meet(participant));
    room.on(RoomEvent.ParticipantDisconnected, (participant) => this.part(participant));
    room.on(RoomEvent.TrackSubscribed, (track, _, participant) => this.play(track, participant));
    room.on(RoomEvent.TrackUnsubscribed, (track) => this.stop(track));
    room.on(RoomEvent.LocalTrackPublished, (publication) => this.measureMicrophone(publication));
    room.on(RoomEvent.AudioPlaybackStatusChanged, () => this.audioAllowed());
    this.context.addEventListener("statechange", () => this.audioAllowed());
    room.on(RoomEvent.DataReceived, (payload, participant, _, topic) => this.hearMessage(payload, participant, topic));
    room.on(RoomEvent.SignalReconnecting, () => on.call("reconnecting"));
    room.on(RoomEvent.Reconnecting, () => on.call("reconnecting"));
    room.on(RoomEvent.Reconnected, () => on.call("joined"));
    room.on(RoomEvent.Disconnected, (why) => {
      clearTimeout(this.missing);
      on.call("idle", troubleOfEnd(why, this.sdk));
    });
  }
}
