#include "session/trace.h"

#include <fmt/format.h>

namespace dmmap::session {

void Trace::request(std::string_view opcode, const Request& header, std::string_view text) const {
  if (on()) {
    sink_(fmt::format("#{} {} node {} pid {} uid {}{}{}", header.id.value, opcode, header.node.value, header.caller.pid,
                      header.caller.uid, text.empty() ? "" : ": ", text));
  }
}

void Trace::reply(std::string_view opcode, RequestId id, std::string_view text,
                  std::chrono::nanoseconds latency) const {
  if (on()) {
    sink_(fmt::format("#{} {} = {} ({:.1f} us)", id.value, opcode, text.empty() ? "ok" : text,
                      static_cast<double>(latency.count()) / 1000.0));
  }
}

void Trace::notification(std::string_view text) const {
  if (on()) {
    sink_(fmt::format("notify {}", text));
  }
}

}  // namespace dmmap::session
