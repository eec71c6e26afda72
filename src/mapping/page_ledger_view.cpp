// PageLedger: what can be asked of it.
#include <fmt/format.h>

#include <algorithm>

#include "mapping/page_ledger.h"

namespace dmmap::mapping {

std::uint64_t PageLedger::size() const {
  const MutexLock lock(lock_);
  return size_;
}

PagedCounters PageLedger::counters() const {
  const MutexLock lock(lock_);
  PagedCounters counters = counters_;
  counters.bytes_kept = kept_.size();
  return counters;
}

std::string PageLedger::describe() const {
  const MutexLock lock(lock_);
  std::string text;
  const auto line = [&](const char* what, const ByteRange& range, const std::shared_ptr<detail::SourceCall>& call) {
    text += fmt::format("region {} {}: {} of bytes {} to {}: ", id_.value, name_, what, range.begin, range.end);
    if (!call) {
      text += "waits for another writeback of the same bytes\n";
    } else {
      text += fmt::format("unanswered for {} ms, the answer is held by {}\n", call->age().count(),
                          call->holder() != 0 ? fmt::format("thread {}", call->holder()) : "nobody known");
    }
  };
  for (const Fault& fault : faults_) {
    line("a fault", fault.range, fault.call);
  }
  for (const auto& write : writes_) {
    line(write->bytes.empty() ? "an offer of refused bytes" : "a writeback", write->range, write->call);
  }
  return text;
}

void PageLedger::count_unmap() {
  const MutexLock lock(lock_);
  ++counters_.unmaps;
}

void PageLedger::count_store() {
  const MutexLock lock(lock_);
  ++counters_.writes_stored;
}

int PageLedger::refused(const ByteRange& range) const {
  const MutexLock lock(lock_);
  return kept_.overlaps(range) ? last_error_ : 0;
}

bool PageLedger::has_surplus(const ByteRange& range) const {
  const MutexLock lock(lock_);
  return surplus_.overlaps(range);
}

bool PageLedger::is_asked(const ByteRange& range) const {
  const MutexLock lock(lock_);
  return std::any_of(faults_.begin(), faults_.end(), [&](const Fault& fault) { return fault.range.overlaps(range); });
}

std::vector<ThreadId> PageLedger::holders(const ByteRange& range, bool alone) const {
  const MutexLock lock(lock_);
  std::vector<ThreadId> threads;
  const auto add = [&threads](const std::shared_ptr<detail::SourceCall>& call) {
    if (call && call->holder() != 0) {
      threads.push_back(call->holder());
    }
  };
  for (const Fault& fault : faults_) {
    if (fault.range.overlaps(range)) {
      add(fault.call);
    }
  }
  for (const auto& write : writes_) {
    if (alone || (write->origin != Origin::page_cache && write->range.overlaps(range))) {
      add(write->call);
    }
  }
  return threads;
}

}  // namespace dmmap::mapping
