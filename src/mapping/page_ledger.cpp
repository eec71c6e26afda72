#include "mapping/page_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace dmmap::mapping {

namespace {

// Surplus that nobody fetches: pages that were in the cache already. Beyond this it's let go of.
constexpr std::uint64_t kMostSurplus = 16 << 20;

std::uint64_t page_down(std::uint64_t offset) {
  return offset / page_size() * page_size();
}
std::uint64_t page_up(std::uint64_t offset) {
  return page_down(offset + page_size() - 1);
}

PageRange pages_of(const ByteRange& range) {
  const std::uint64_t first = range.begin / page_size();
  return {first, page_up(range.end) / page_size() - first};
}

}  // namespace

PageLedger::PageLedger(const PagedRegionOptions& options, std::shared_ptr<PageSource> source)
    : id_(options.id),
      name_(options.name),
      max_size_(page_up(std::max(options.size, options.max_size))),
      source_(std::move(source)),
      size_(options.size) {}

void PageLedger::log_to(LogSink log) {
  const MutexLock lock(lock_);
  log_ = std::move(log);
}

void PageLedger::surplus_to(Surplus surplus) {
  const MutexLock lock(lock_);
  on_surplus_ = std::move(surplus);
}

void PageLedger::complain(const std::string& text) const {
  LogSink log;
  {
    const MutexLock lock(lock_);
    log = log_;
  }
  const std::string line = fmt::format("region {}{}{}: {}", id_.value, name_.empty() ? "" : " ", name_, text);
  if (log) {
    log(LogLevel::error, line);
  } else {
    fmt::print(stderr, "dmmap: error: {}\n", line);
  }
}

std::shared_ptr<detail::SourceCall> PageLedger::make_call(detail::SourceCall::Answer answer) {
  // Each call holds the ledger, so that an answer finds it whatever has gone meanwhile.
  return std::make_shared<detail::SourceCall>(
      std::move(answer), [self = shared_from_this()](const std::string& text) { self->complain(text); });
}

void PageLedger::changed(const ByteRange& range) {
  surplus_.erase({page_down(range.begin), page_up(range.end)});
  for (Fault& fault : faults_) {
    fault.changed.push_back(range);
  }
}

void PageLedger::patch(const ByteRange& range, std::span<const std::byte> bytes) {
  for (Fault& fault : faults_) {
    if (!fault.range.overlaps(range)) {
      continue;
    }
    if (bytes.empty()) {
      fault.patches.erase(range);
    } else {
      fault.patches.put(range.begin, bytes);
    }
  }
}

void PageLedger::patch_with_newer(const Write& than) {
  bool newer = false;
  for (const auto& write : writes_) {
    if (newer && write->range.overlaps(than.range) && !write->bytes.empty()) {
      patch(write->range, write->bytes);
    }
    newer = newer || write.get() == &than;
  }
  for (const OwnWrite* const own : own_writes_) {
    patch({own->offset_, own->offset_ + own->bytes_.size()}, own->bytes_);
  }
}

void PageLedger::fetched(const ByteRange& range) {
  for (Eviction* const eviction : evictions_) {
    eviction->fetched_.push_back(range);
  }
}

void PageLedger::fill(ByteRange wanted, Filled filled) {
  std::vector<std::byte> ready;
  std::shared_ptr<detail::SourceCall> call;
  {
    const MutexLock lock(lock_);
    wanted.end = std::min(wanted.end, size_);
    fetched({wanted.begin, page_up(std::max(wanted.begin + 1, wanted.end))});
    if (!wanted.empty() && !surplus_.covers(wanted)) {
      call = begin_fault(wanted, filled);
    } else if (!wanted.empty()) {
      ready.resize(wanted.end - wanted.begin);
      surplus_.overlay(wanted.begin, ready);
      surplus_.erase(wanted);
      kept_.overlay(wanted.begin, ready);
      ByteStore own_writes;
      for (const OwnWrite* const own : own_writes_) {
        own_writes.put(own->offset_, own->bytes_);
      }
      own_writes.overlay(wanted.begin, ready);
    }
  }
  if (!call) {
    filled(0, ready);
    return;
  }
  source_->fault(pages_of(wanted), FaultReply(call));
  call->handler_returned();
}

std::shared_ptr<detail::SourceCall> PageLedger::begin_fault(const ByteRange& wanted, Filled& filled) {
  surplus_.erase(wanted);
  ++counters_.faults;
  const auto fault = faults_.insert(faults_.end(), {wanted, std::move(filled), nullptr, {}, {}});
  auto call =
      make_call([self = shared_from_this(), fault](int code, std::uint64_t offset, std::span<const std::byte> bytes) {
        self->supplied(fault, code, offset, bytes);
      });
  fault->call = call;
  // The source may be asked before it has applied what came before.
  for (const auto& write : writes_) {
    fault->changed.push_back(write->range);
    if (write->range.overlaps(wanted)) {
      fault->patches.put(write->range.begin, write->bytes);
    }
  }
  for (const OwnWrite* const own : own_writes_) {
    fault->patches.put(own->offset_, own->bytes_);
  }
  return call;
}

void PageLedger::supplied(Faults::iterator fault, int code, std::uint64_t offset, std::span<const std::byte> bytes) {
  std::vector<std::byte> whole;
  std::span<const std::byte> answer;
  std::optional<ByteRange> surplus;
  Surplus tell;
  Fault done;
  bool too_short = false;
  {
    const MutexLock lock(lock_);
    done = std::move(*fault);
    faults_.erase(fault);
    ByteRange wanted = done.range;
    wanted.end = std::max(wanted.begin, std::min(wanted.end, size_));  // it may have shrunk meanwhile
    too_short = code == 0 && !wanted.empty() && (offset > wanted.begin || bytes.size() < wanted.end - offset);
    if (too_short) {
      code = EIO;
    }
    if (code == 0 && !wanted.empty()) {
      answer = bytes.subspan(wanted.begin - offset, wanted.end - wanted.begin);
      if (kept_.overlaps(wanted) || !done.patches.empty()) {
        whole.assign(answer.begin(), answer.end());
        kept_.overlay(wanted.begin, whole);
        done.patches.overlay(wanted.begin, whole);
        answer = whole;
      }
      counters_.pages_supplied += pages_of(wanted).count;
      surplus = keep_surplus(done, offset, bytes);
      tell = on_surplus_;
    }
  }
  if (too_short) {
    complain(fmt::format("a page source supplied {} bytes from {} on, where {} to {} were wanted: the client gets EIO",
                         bytes.size(), offset, done.range.begin, done.range.end));
  }
  done.filled(code, answer);
  if (surplus && tell) {
    tell(*surplus);
  }
}

std::optional<ByteRange> PageLedger::keep_surplus(const Fault& fault, std::uint64_t offset,
                                                  std::span<const std::byte> bytes) {
  if (!on_surplus_) {
    return std::nullopt;
  }
  const std::uint64_t end = std::min(offset + bytes.size(), size_);
  const std::uint64_t last = end == size_ ? end : page_down(end);
  std::optional<ByteRange> all;
  for (std::uint64_t at = page_up(offset); at < last; at += page_size()) {
    const ByteRange page{at, std::min(at + page_size(), last)};
    const auto overlaps = [&page](const ByteRange& other) { return other.overlaps(page); };
    const bool stale = std::any_of(fault.changed.begin(), fault.changed.end(), overlaps);
    const bool asked = std::any_of(faults_.begin(), faults_.end(), [&](const Fault& f) { return overlaps(f.range); });
    const bool evicted = std::any_of(evictions_.begin(), evictions_.end(),
                                     [&](const Eviction* eviction) { return overlaps(eviction->range_); });
    if (overlaps(fault.range) || stale || asked || evicted) {
      continue;
    }
    if (surplus_.size() >= kMostSurplus) {
      surplus_.clear();
    }
    surplus_.put(at, bytes.subspan(at - offset, page.end - page.begin));
    ++counters_.pages_pushed;
    ++counters_.pages_supplied;
    all = ByteRange{all ? all->begin : page.begin, page.end};
  }
  return all;
}

void PageLedger::keep(std::uint64_t offset, std::span<const std::byte> bytes, Origin origin, const Taken& taken) {
  const bool clients = origin == Origin::client || origin == Origin::mapped_client;
  auto write = std::make_shared<Write>();
  write->origin = origin;
  bool nothing = false;
  {
    const MutexLock lock(lock_);
    // A page's tail past the end of the file is nobody's; of a client's write(2) the part that fits is taken.
    const std::uint64_t most = std::max(size_, max_size_);
    write->range = {offset, std::max(offset, std::min(offset + bytes.size(), most))};
    write->bytes = bytes.first(write->range.end - write->range.begin);
    changed(write->range);
    patch(write->range, write->bytes);
    fetched(write->range);
    nothing = write->bytes.empty();
    if (!nothing) {
      write->done = [taken, size = clients ? write->bytes.size() : bytes.size()](int code) { taken(code, size); };
      // At once: what a fault that begins from here on brings beyond what it wants is out of date.
      writes_.push_back(std::move(write));
    }
  }
  if (nothing) {
    taken(clients && !bytes.empty() ? EFBIG : 0, clients ? 0 : bytes.size());
    return;
  }
  start_what_can();
}

void PageLedger::offer_again(const ByteRange& range, const Kept& done) {
  auto write = std::make_shared<Write>();
  write->range = range;
  write->offered_to = range.begin;
  bool nothing = false;
  {
    const MutexLock lock(lock_);
    nothing = !kept_.overlaps(range);
    if (!nothing) {
      write->done = done;
      writes_.push_back(std::move(write));
    }
  }
  if (nothing) {
    done(0);
    return;
  }
  start_what_can();
}

// A write begins when nothing that came before it and touches the same bytes is unfinished.
void PageLedger::start_what_can() {
  std::vector<std::shared_ptr<Write>> ready;
  {
    const MutexLock lock(lock_);
    for (auto write = writes_.begin(); write != writes_.end(); ++write) {
      const bool blocked = std::any_of(writes_.begin(), write,
                                       [&](const auto& earlier) { return earlier->range.overlaps((*write)->range); });
      if (!(*write)->started && !blocked) {
        (*write)->started = true;
        ready.push_back(*write);
      }
    }
  }
  for (const auto& write : ready) {
    ask(write);
  }
}

std::pair<std::uint64_t, std::span<const std::byte>> PageLedger::next_of(Write& write) const {
  if (!write.bytes.empty()) {
    return {write.range.begin, write.bytes};
  }
  const ByteRange rest{write.offered_to, write.range.end};
  const auto piece = kept_.first_within(rest);
  if (!piece) {
    return {};
  }
  write.offered.resize(piece->end - piece->begin);
  kept_.overlay(piece->begin, write.offered);
  write.offered_to = piece->end;
  return {piece->begin, write.offered};
}

// A source may answer at once, from within: then this loop goes on, so that the stack doesn't grow with the pieces.
void PageLedger::ask(const std::shared_ptr<Write>& write) {
  while (true) {
    std::pair<std::uint64_t, std::span<const std::byte>> next;
    std::shared_ptr<detail::SourceCall> call;
    {
      const MutexLock lock(lock_);
      next = next_of(*write);
      if (!next.second.empty()) {
        ++counters_.writebacks;
        write->asking = true;
        write->more = false;
        call = make_call(
            [self = shared_from_this(), write](int code, std::uint64_t /*offset*/,
                                               std::span<const std::byte> /*bytes*/) { self->answered(write, code); });
        write->call = call;
      }
    }
    if (!call) {
      finish(write);
      return;
    }
    source_->writeback(next.first, next.second, WritebackReply(call));
    call->handler_returned();
    const MutexLock lock(lock_);
    write->asking = false;
    if (!write->more) {
      return;
    }
  }
}

void PageLedger::answered(const std::shared_ptr<Write>& write, int code) {
  bool more = false;
  {
    const MutexLock lock(lock_);
    write->call = nullptr;
    const bool offer = write->bytes.empty();
    const std::uint64_t begin = offer ? write->offered_to - write->offered.size() : write->range.begin;
    const ByteRange range{begin, begin + (offer ? write->offered.size() : write->bytes.size())};
    if (code == 0 && offer) {
      // A fault that was asked before may bring what the source had until now.
      changed(range);
      patch(range, write->offered);
      patch_with_newer(*write);
    }
    if (code == 0) {
      kept_.erase(range);
      size_ = std::max(size_, offer ? size_ : range.end);
    } else {
      ++counters_.writebacks_failed;
      last_error_ = code;
      write->code = write->code == 0 ? code : write->code;
      if (!offer && write->origin != Origin::client) {
        kept_.put(range.begin, write->bytes);
        size_ = std::max(size_, std::min(range.end, max_size_));
      } else if (!offer) {
        patch(range, {});
        patch_with_newer(*write);
      }
    }
    more = offer && kept_.overlaps({write->offered_to, write->range.end});
    write->more = more;
    if (more && write->asking) {
      return;
    }
  }
  more ? ask(write) : finish(write);
}

void PageLedger::finish(const std::shared_ptr<Write>& write) {
  Kept done;
  int code = 0;
  {
    const MutexLock lock(lock_);
    writes_.remove(write);
    done = std::move(write->done);
    code = write->code;
  }
  done(code);
  start_what_can();
}

void PageLedger::discard(const ByteRange& range) {
  {
    const MutexLock lock(lock_);
    changed(range);
    patch(range, {});
    kept_.erase(range);
  }
  source_->discarded(pages_of(range));
}

void PageLedger::set_size(std::uint64_t size) {
  {
    const MutexLock lock(lock_);
    if (size < size_) {
      const ByteRange cut{size, size_};
      changed(cut);
      patch(cut, {});
      kept_.erase(cut);
    }
    surplus_.erase({page_down(std::min(size, size_)), page_up(std::max(size, size_))});
    size_ = size;
  }
  source_->resized(size);
}

void PageLedger::forget_surplus(const ByteRange& range) {
  const MutexLock lock(lock_);
  changed(range);
}

PageLedger::OwnWrite::OwnWrite(PageLedger& ledger, std::uint64_t offset, std::span<const std::byte> bytes)
    : ledger_(ledger), offset_(offset), bytes_(bytes) {
  const MutexLock lock(ledger_.lock_);
  ledger_.own_writes_.push_back(this);
}

PageLedger::OwnWrite::~OwnWrite() {
  const MutexLock lock(ledger_.lock_);
  ledger_.own_writes_.erase(std::find(ledger_.own_writes_.begin(), ledger_.own_writes_.end(), this));
}

PageLedger::Eviction::Eviction(PageLedger& ledger, const ByteRange& range) : ledger_(ledger), range_(range) {
  const MutexLock lock(ledger_.lock_);
  ledger_.evictions_.push_back(this);
  ledger_.changed(range_);
}

PageLedger::Eviction::~Eviction() {
  const MutexLock lock(ledger_.lock_);
  ledger_.changed(range_);
  ledger_.evictions_.erase(std::find(ledger_.evictions_.begin(), ledger_.evictions_.end(), this));
}

bool PageLedger::Eviction::fetched(const ByteRange& page) const {
  const MutexLock lock(ledger_.lock_);
  return std::any_of(fetched_.begin(), fetched_.end(),
                     [&page](const ByteRange& range) { return range.overlaps(page); });
}

}  // namespace dmmap::mapping
