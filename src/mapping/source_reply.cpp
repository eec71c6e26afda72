#include <dmmap/paged_region.h>

#include <cerrno>
#include <utility>

#include "mapping/source_call.h"

namespace dmmap {

SourceReply::SourceReply(std::shared_ptr<detail::SourceCall> call) : call_(std::move(call)) {}

SourceReply::SourceReply(SourceReply&& other) noexcept : call_(std::move(other.call_)) {
  if (call_) {
    call_->held_here();
  }
}

SourceReply& SourceReply::operator=(SourceReply&& other) noexcept {
  if (this != &other) {
    const SourceReply dropped(std::move(*this));  // answers what was held before
    call_ = std::move(other.call_);
    if (call_) {
      call_->held_here();
    }
  }
  return *this;
}

SourceReply::~SourceReply() {
  if (pending()) {
    call_->complain("a page source dropped a question unanswered: the client gets EIO");
    call_->answer(EIO, 0, {});
  }
}

void SourceReply::error(int code) {
  if (call_) {
    call_->answer(code > 0 ? code : EIO, 0, {});
  }
}

bool SourceReply::pending() const {
  return call_ != nullptr && !call_->answered();
}

void FaultReply::ok(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (call_) {
    call_->answer(0, offset, bytes);
  }
}

void WritebackReply::ok() {
  if (call_) {
    call_->answer(0, 0, {});
  }
}

PageSource::~PageSource() = default;

void PageSource::writeback(std::uint64_t /*offset*/, std::span<const std::byte> /*bytes*/, WritebackReply reply) {
  reply.error(EROFS);
}
void PageSource::discarded(PageRange /*pages*/) {}
void PageSource::resized(std::uint64_t /*size*/) {}

}  // namespace dmmap
