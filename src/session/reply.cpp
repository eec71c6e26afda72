#include <dmmap/reply.h>

#include <fmt/format.h>

#include <cerrno>

#include "protocol/print.h"
#include "session/interceptor.h"
#include "session/opcode_table.h"
#include "session/pending_request.h"

namespace dmmap {

namespace {

// Which lookups an answer hands out. They are counted before the answer goes, since the kernel can forget them at once.
using CountLookup = std::function<void(NodeId, std::uint64_t generation)>;

template <class T>
void each_lookup(const T& /*value*/, std::size_t /*taken*/, const CountLookup& /*count*/) {}

void each_lookup(const Entry& entry, std::size_t /*taken*/, const CountLookup& count) {
  if (entry.node.value != 0) {
    count(entry.node, entry.generation);
  }
}

void each_lookup(const Created& created, std::size_t /*taken*/, const CountLookup& count) {
  count(created.entry.node, created.entry.generation);
}

void each_lookup(const DirectoryListingPlus& listing, std::size_t taken, const CountLookup& count) {
  for (const DirectoryEntryPlus& entry : listing.entries.first(taken)) {
    if (entry.entry.node.value != 0 && entry.name.name != "." && entry.name.name != "..") {
      count(entry.entry.node, entry.entry.generation);
    }
  }
}

}  // namespace

ReplyBase::ReplyBase(std::shared_ptr<detail::PendingRequest> pending) noexcept : pending_(std::move(pending)) {}

ReplyBase& ReplyBase::operator=(ReplyBase&& other) noexcept {
  if (this != &other) {
    const ReplyBase dropped(std::move(pending_));  // answers what was held before
    pending_ = std::move(other.pending_);
  }
  return *this;
}

ReplyBase::~ReplyBase() {
  if (!pending_) {
    return;
  }
  if (pending_->fail(EIO) == Delivery::taken) {
    pending_->core().log(LogLevel::error, fmt::format("a Reply to {} was dropped unanswered: the client got EIO",
                                                      session::opcode_name(pending_->limits().opcode)));
  }
}

Delivery ReplyBase::error(int code) {
  const auto pending = std::move(pending_);
  return pending->fail(code);
}

void ReplyBase::on_interrupt(std::function<void()> callback) {
  pending_->on_interrupt(std::move(callback));
}

bool ReplyBase::interrupted() const {
  return pending_->interrupted();
}

template <class T>
Delivery Reply<T>::ok(const T& value) {
  auto pending = std::move(pending_);
  session::Core& core = pending->core();
  if constexpr (std::is_same_v<T, AttributesReply>) {
    if (const auto node = pending->looked_up()) {
      const auto generation = core.lookups().generation(*node);
      if (!generation) {
        return pending->fail(ESTALE);  // the kernel has forgotten it meanwhile
      }
      return Reply<Entry>(std::move(pending))
          .ok({.node = *node,
               .generation = *generation,
               .attributes = value.attributes,
               .attributes_valid = value.valid});
    }
  }
  protocol::WireReply wire;
  if (const auto encoded = protocol::encode(value, pending->limits(), wire); !encoded) {
    if (encoded.error().code != ERANGE) {  // ERANGE is how getxattr(2) says that the client's buffer is too small
      core.log(LogLevel::error, encoded.error().message);
    }
    return pending->fail(encoded.error().code);
  }
  each_lookup(value, wire.entries_taken,
              [&](NodeId node, std::uint64_t generation) { core.lookups().add(node, generation); });
  const Delivery delivery = pending->succeed(wire, [&] { return protocol::describe(value); });
  if (delivery == Delivery::gone) {
    each_lookup(value, wire.entries_taken,
                [&](NodeId node, std::uint64_t /*generation*/) { core.lookup_not_taken(node); });
  }
  return delivery;
}

Reply<AttributesReply> session::answer_with_attributes_of(NodeId node, Reply<Entry> lookup) {
  auto pending = detail::ReplyParts::take(lookup);
  pending->look_up(node);
  return Reply<AttributesReply>(std::move(pending));
}

template class Reply<Entry>;
template class Reply<AttributesReply>;
template class Reply<Opened>;
template class Reply<Created>;
template class Reply<Mmapped>;
template class Reply<Data>;
template class Reply<Xattr>;
template class Reply<Written>;
template class Reply<FilesystemStatus>;
template class Reply<StatxReply>;
template class Reply<LockState>;
template class Reply<Block>;
template class Reply<IoctlDone>;
template class Reply<PollReady>;
template class Reply<Seeked>;
template class Reply<Copied>;
template class Reply<DirectoryListing>;
template class Reply<DirectoryListingPlus>;
template class Reply<Done>;

}  // namespace dmmap
