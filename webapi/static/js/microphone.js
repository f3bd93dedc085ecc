"use strict";

const PUBLISH_TRIES = 3; // after them the user is told, and can try again with the button
const RETRY_MS = 1000; // pause before the second try; it doubles before each further try

/**
 * The caller's microphone in a room. `look` compares what is wanted with what the room has, and publishes the microphone
 * where the publication is missing. So the reason makes no difference: a reconnect, the server or an error.
 */
class Microphone {
  constructor(sdk, room) {
    this.sdk = sdk;
    this.room = room;
    this.wanted = false; // true while the call lasts
    this.muted = false; // the last wish of the user or the server; a new publication begins with it
    this.failure = null; // the Trouble of the last attempt; nothing is tried until the user acts
    this.busy = false; // the microphone is being published, muted or unmuted
    this.tries = 0; // failed attempts to publish since the last success
    this.notBefore = 0; // time of the next attempt, in ms of the page's clock
    this.permission = null; // the browser's PermissionStatus for microphones, if it has one
  }

  /** The published LocalTrack, or undefined. */
  get track() {
    return this.room.localParticipant.getTrackPublication(this.sdk.Track.Source.Microphone)?.track;
  }

  /** off, refused, muted, on, failed or starting. "on" only while the server has a publication whose track is live. */
  get state() {
    if (!this.wanted) return "off";
    if (!this.maySpeak) return "refused";
    if (this.muted) return "muted";
    if (this.isHeard) return "on";
    return this.trouble ? "failed" : "starting";
  }

  /** Why it is not on, as a Trouble; null where nothing is wrong or another attempt is being made. */
  get trouble() {
    const track = this.track;
    if (this.isHeard) return null;
    if (this.failure) return this.failure;
    if (!track) return null;
    if (track.isUpstreamPaused) return new Trouble("mic-silent");
    if (!hasEnded(track) || !track.isMuted) return null; // the SDK tries another device, and mutes the track when that fails
    return new Trouble(this.permission?.state === "denied" ? "mic-denied" : "mic-missing");
  }

  /** The microphone's audio goes to the server. During a full reconnect the listed publications are those of the old connection. */
  get isHeard() {
    const track = this.track;
    const reconnecting = this.room.state === this.sdk.ConnectionState.Reconnecting;
    return Boolean(track) && !reconnecting && !track.isMuted && !track.isUpstreamPaused && !hasEnded(track);
  }

  get maySpeak() {
    const may = this.room.localParticipant.permissions;
    const sources = may ? may.canPublishSources : [];
    return !may || (may.canPublish && (!sources.length || sources.includes(2))); // 2: TrackSource.MICROPHONE
  }

  /** Publish it from now on. */
  start() {
    this.wanted = true;
    const asked = navigator.permissions?.query({ name: "microphone" });
    asked?.then((status) => (this.permission = status)).catch(() => {}); // not every browser has this permission
  }

  stop() {
    this.wanted = false;
  }

  /** After a reconnect: what could not be published before is tried again. */
  renewed() {
    this.tries = this.notBefore = 0;
    if (this.failure?.code === "mic-failed") this.failure = null;
  }

  /** Publish the microphone if it is missing. `now` is in ms of the page's clock. */
  look(now) {
    const track = this.track;
    if (track && !hasEnded(track) && !this.busy) this.muted = track.isMuted; // the server may mute it too
    if (this.isHeard) {
      this.failure = null;
      this.tries = this.notBefore = 0;
    }
    const free = !this.busy && !this.failure && now >= this.notBefore;
    const up = this.room.state === this.sdk.ConnectionState.Connected; // before that the SDK publishes again by itself
    if (this.wanted && !track && free && up && this.maySpeak) this.publish();
  }

  /** Mute it (`on` false), or unmute or restart it. Without a publication the next `look` makes one. */
  async turn(on) {
    const track = this.track;
    this.muted = !on;
    this.failure = null;
    this.tries = this.notBefore = 0;
    if (!track) return;
    this.busy = true;
    try {
      if (!on) await track.mute();
      else if (track.isMuted) await track.unmute(); // also opens the device again if the track has ended
      else await track.restartTrack();
    } catch (error) {
      this.failure = troubleOfMicrophone(error, this.sdk);
    } finally {
      this.busy = false;
    }
  }

  async publish() {
    this.busy = true;
    let track = null;
    try {
      [track] = await this.room.localParticipant.createTracks({ audio: true });
      if (this.muted) await track.mute(); // before it is published, so that nothing is heard
      if (!this.wanted) throw new Error("the call is over");
      await this.room.localParticipant.publishTrack(track);
      if (this.muted && !track.isMuted) await track.mute();
    } catch (error) {
      track?.stop();
      this.failed(troubleOfMicrophone(error, this.sdk));
    } finally {
      this.busy = false;
    }
  }

  /** A device's error needs the user. An error of the room is tried again, PUBLISH_TRIES times in all. */
  failed(trouble) {
    this.tries += 1;
    if (trouble.code !== "mic-failed" || this.tries >= PUBLISH_TRIES) this.failure = trouble;
    else this.notBefore = performance.now() + RETRY_MS * 2 ** (this.tries - 1);
  }
}

function hasEnded(track) {
  return track.mediaStreamTrack.readyState === "ended";
}
