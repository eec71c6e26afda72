// PulseConnection: a connection to a PulseAudio server, which PipeWire is too, with one stream on it.
//
// The server is the one that libpulse finds (PULSE_SERVER, client.conf(5)); none is started for this.
//
// Promises: only open() waits, and not longer than a few seconds, also for a server that is stopped. All of libpulse's
// work is done in the calls. Thread safety: one thread at a time.
#pragma once

#include <dmmap/error.h>

#include <pulse/pulseaudio.h>

#include <functional>
#include <memory>
#include <string>

namespace dmmap::sound {

class PulseConnection {
 public:
  /// `connect_stream` is to begin the connecting of the stream; this waits until it's there.
  /// Errors: ECONNREFUSED, ENOENT and the like, with what the server says.
  [[nodiscard]] static Result<std::unique_ptr<PulseConnection>> open(
      const pa_sample_spec& spec, const char* name, const std::function<int(pa_stream*)>& connect_stream);
  PulseConnection(const PulseConnection&) = delete;
  PulseConnection& operator=(const PulseConnection&) = delete;
  ~PulseConnection();

  /// Does what is to be done, without waiting. Errors: the connection, or the stream, has gone.
  [[nodiscard]] Result<void> turn();
  [[nodiscard]] pa_stream* stream() const { return stream_; }
  /// What the server said last, as an Error.
  [[nodiscard]] Error error() const;

 private:
  PulseConnection();
  /// Until `done`. Errors: as turn(); ETIMEDOUT.
  Result<void> wait_until(const std::function<bool()>& done);

  pa_mainloop* loop_;
  pa_context* context_;
  pa_stream* stream_ = nullptr;
};

/// Our order of channels (channels.h), as PulseAudio says it. REQUIRES: 1 to 8 channels.
[[nodiscard]] pa_channel_map pulse_channels(unsigned channels);

}  // namespace dmmap::sound
