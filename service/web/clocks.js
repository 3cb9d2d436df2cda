// What tells a player its time: a video, or a clock of its own where there is none.

// A video's. `show` is called with the time of every picture that comes on the screen.
export class VideoClock {
  constructor(video, show) {
    this.video = video;
    this.show = show;
    this.over = false;
    this.precise = "requestVideoFrameCallback" in video;
    const next = (_, told) => {
      if (this.over) return;
      show(told ? told.mediaTime : video.currentTime);
      if (this.precise) video.requestVideoFrameCallback(next);
      else requestAnimationFrame(next.bind(null, 0, null));
    };
    if (this.precise) video.requestVideoFrameCallback(next);
    else requestAnimationFrame(() => next(0, null));
  }

  get playing() {
    return !this.video.paused;
  }

  play() {
    return this.video.play().catch(() => {}); // taken back by a pause, or refused by the browser
  }

  pause() {
    this.video.pause();
  }

  // A thousandth later, so that rounding does not show the picture before.
  seek(time) {
    this.video.currentTime = time + 0.001;
  }

  set rate(rate) {
    this.video.playbackRate = rate;
  }

  stop() {
    this.over = true;
    this.video.pause();
  }
}

// Its own, from `begin` to `end` seconds and around again.
export class OwnClock {
  constructor(begin, end, show) {
    this.begin = begin;
    this.end = end;
    this.show = show;
    this.time = begin;
    this.playing = false;
    this.rate = 1;
    this.over = false;
    this.tick = this.tick.bind(this);
  }

  play() {
    if (this.playing || this.over) return Promise.resolve();
    this.playing = true;
    this.last = performance.now();
    requestAnimationFrame(this.tick);
    return Promise.resolve();
  }

  tick(now) {
    if (!this.playing || this.over) return;
    const passed = (Math.max(now - this.last, 0) / 1000) * this.rate;
    this.last = now;
    this.time = this.time >= this.end ? this.begin : Math.min(this.time + passed, this.end);
    this.show(this.time);
    requestAnimationFrame(this.tick);
  }

  pause() {
    this.playing = false;
  }

  seek(time) {
    this.time = Math.min(Math.max(time, this.begin), this.end);
    this.show(this.time);
  }

  stop() {
    this.over = true;
  }
}
