// Pipe: bytes from standard input, a FIFO or a file, waited for.
//
// Promises: a FIFO that has no writer, or a silent one, is no error and costs nothing; when its writer goes, another
// may come. Every wait can be broken off. Thread safety: interrupt() from any thread; the rest from one.
#pragma once

#include <dmmap/error.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "servers/camera/picture/picture.h"

namespace dmmap::camera {

class Pipe {
 public:
  /// `path` "-" is standard input, whose flags are left as they are: others may have it open too.
  /// Errors: those of open(2) and eventfd(2); EISDIR.
  [[nodiscard]] static Result<std::unique_ptr<Pipe>> open(const std::string& path);
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe();

  /// At least a byte, and what there is; 0 where the writer has gone or the file ends. Errors: ECANCELED; read(2)'s.
  [[nodiscard]] Result<std::size_t> read(std::span<std::uint8_t> to);
  /// Whether after 0 bytes there may be more, by the next writer.
  [[nodiscard]] bool another_may_come() const { return kind_ == Kind::fifo; }
  /// A file that was named is read from its start again; for all else nothing happens. Whether it was.
  bool rewind();

  /// False when it was broken off.
  [[nodiscard]] bool wait_until(Time time);
  void interrupt();
  /// Waits wait again.
  void reset();

 private:
  enum class Kind { fifo, file, other };
  explicit Pipe(std::string path) : path_(std::move(path)) {}
  Result<void> open_file();
  Result<void> next_writer();
  [[nodiscard]] Result<void> wait_for_bytes() const;

  std::string path_;
  Kind kind_ = Kind::other;
  int fd_ = -1;
  int event_ = -1;
};

}  // namespace dmmap::camera
