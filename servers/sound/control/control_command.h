// ControlCommand: one line that is written to the file `control`.
//
//   volume TARGET LEFT [RIGHT]   percent, 0 to 100; both sides when only one is given
//   mute TARGET
//   unmute TARGET
//
// TARGET is master, pcm, recording or a stream's number. Thread safety: every function, from any thread.
#pragma once

#include <dmmap/error.h>

#include <string>
#include <string_view>
#include <vector>

#include "servers/sound/control/status.h"

namespace dmmap::sound {

struct ControlCommand {
  enum class Kind : unsigned char { volume, mute, unmute };
  Kind kind = Kind::volume;
  LevelTarget target = Control::master;
  unsigned left = 0;   ///< of volume alone
  unsigned right = 0;  ///< of volume alone
  bool operator==(const ControlCommand&) const = default;
};

/// Errors: EINVAL, with what to say.
[[nodiscard]] Result<ControlCommand> parse_command(std::string_view line);
/// One command a line; the last needs no newline, and empty lines are nothing. Errors: EINVAL when any isn't one.
[[nodiscard]] Result<std::vector<ControlCommand>> parse_commands(std::string_view text);
/// The line, without newline, that parse_command() understands.
[[nodiscard]] std::string line_of(const ControlCommand& command);

/// "master", "pcm", "recording", or a stream's number. Errors: EINVAL.
[[nodiscard]] Result<LevelTarget> parse_target(std::string_view text);
/// "0" to "100". Errors: EINVAL.
[[nodiscard]] Result<unsigned> parse_percent(std::string_view text);

/// Errors: CardControl's.
Result<void> carry_out(const ControlCommand& command, CardControl& card);

}  // namespace dmmap::sound
