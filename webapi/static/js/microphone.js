"use strict";

const PUBLISH_TRIES = 3; // then the user is told, and tries again with the button
const RETRY_MS = 1000; // before the second try; twice as long before each that follows

/**
 * The caller's microphone in a room. `look` compares what is wanted with what the room has, and publishes where the
 * publication is missing. So it makes no difference what took it away: a reconnect, the server or an error.
 */
class Microphone {
  constructor(sdk, room) {
    this.sdk = sdk;
    this.room = room;
    this.wanted = false; // true while the call lasts
    this.muted = false; // what the user or the server wanted last; a new publication begins so
    this.failure = null; // the Trouble of the last attempt; the user has to act
    this.busy = false; // the microphone is being published, muted or unmuted
    this.tries = 0;
    this.notBefore = 0; // ms of the page's clock; no attempt to publish before it
    this.permission = null; // the browser's PermissionStatus, where it has one for microphones
  }

  /** The published LocalTrack, or undefined. */
  get track() {
    return this.room.localParticipant.getTrackPublication(this.sdk.Track.Source.Microphone)?.track;
  }

  /** off, refused, muted, on, failed or starting. It is "on" only while the server has a live publication. */
  get state() {
    if (!this.wanted) return "off";
    if (!this.maySpeak) return "refused";
    if (this.muted) return "muted";
    if (this.isHeard) return "on";
    return this.trouble ? "failed" : "starting";
  }

  /** Why it is not on, as a Trouble; null where nothing is wrong, or where another attempt is being made. */
  get trouble() {
    const track = this.track;
    if (this.isHeard) return null;
    if (this.failure) return this.failure;
    if (!track) return null;
    if (track.isUpstreamPaused) return new Trouble("mic-silent");
    if (!hasEnded(track) || !track.isMuted) return null; // the SDK is at it: it mutes a track when it gives up
    return new Trouble(this.permission?.state === "denied" ? "mic-denied" : "mic-missing");
  }

  /** Audio reaches the server. A full reconnect begins without any publication, whatever is listed until then. */
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

  /** From now on it is to be published. */
  start() {
    this.wanted = true;
    const asked = navigator.permissions?.query({ name: "microphone" });
    asked?.then((status) => (this.permission = status)).catch(() => {}); // Firefox may not know the name
  }

  stop() {
    this.wanted = false;
  }

  /** The connection was renewed: what could not be published before may be now. */
  renewed() {
    this.tries = this.notBefore = 0;
    if (this.failure?.code === "mic-failed") this.failure = null;
  }

  /** Bring the room in line with what is wanted. `now` is in ms of the page's clock. */
  look(now) {
    const track = this.track;
    if (track && !hasEnded(track) && !this.busy) this.muted = track.isMuted; // the server may mute it too
    if (this.isHeard) {
      this.failure = null;
      this.tries = this.notBefore = 0;
    }
    const free = !this.busy && !this.failure && now >= this.notBefore;
    const up = this.room.state === this.sdk.ConnectionState.Connected; // until then the SDK publishes again itself
    if (this.wanted && !track && free && up && this.maySpeak) this.publish();
  }

  /** Mute it, or turn it on whatever is wrong. Without a publication the next look makes one. */
  async turn(on) {
    const track = this.track;
    this.muted = !on;
    this.failure = null;
    this.tries = this.notBefore = 0;
    if (!track) return;
    this.busy = true;
    try {
      if (!on) await track.mute();
      else if (track.isMuted) await track.unmute(); // takes the device again where the track has ended
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
      if (this.muted) await track.mute(); // before it is published: no word gets out
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

  /** What the device refuses is for the user to mend; what the room refuses is tried again. */
  failed(trouble) {
    this.tries += 1;
    if (trouble.code !== "mic-failed" || this.tries >= PUBLISH_TRIES) this.failure = trouble;
    else this.notBefore = performance.now() + RETRY_MS * 2 ** (this.tries - 1);
  }
}

function hasEnded(track) {
  return track.mediaStreamTrack.readyState === "ended";
}
