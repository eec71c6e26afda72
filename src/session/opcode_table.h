// The one table of opcodes: what each is called, what handles it, how it is printed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/decode.h"

namespace dmmap::detail {
class PendingRequest;
}

namespace dmmap::session {

class Core;

struct OpcodeRow {
  std::uint32_t opcode = 0;
  std::string_view name;
  /// Decodes the request and hands it to the file system, or to the session where it's the session's own.
  void (*handle)(const std::shared_ptr<detail::PendingRequest>& pending, const protocol::Envelope& envelope) = nullptr;
  /// The request's arguments for a trace, or what is wrong with them.
  std::string (*print)(const Core& core, const protocol::Envelope& envelope) = nullptr;
};

/// The opcode's row, or null for one that 7.45 doesn't have.
[[nodiscard]] const OpcodeRow* find_opcode(std::uint32_t opcode);

/// "LOOKUP", or "opcode" for one that isn't known.
[[nodiscard]] std::string_view opcode_name(std::uint32_t opcode);

}  // namespace dmmap::session
