#include <dmmap/paged_region.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "mapping/paged_region_impl.h"
#include "session/completion.h"

namespace dmmap {

Result<std::shared_ptr<PagedRegion>> PagedRegion::create(const PagedRegionOptions& options,
                                                         std::shared_ptr<PageSource> source) {
  if (options.size > Impl::kLargest || options.max_size > Impl::kLargest) {
    return fail(EINVAL, fmt::format("a region's size must be at most 2^62 bytes, not {}",
                                    std::max(options.size, options.max_size)));
  }
  if (!source) {
    return fail(EINVAL, "a paged region needs a page source");
  }
  return std::shared_ptr<PagedRegion>(new PagedRegion(std::make_shared<Impl>(options, std::move(source))));
}

PagedRegion::PagedRegion(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
PagedRegion::~PagedRegion() = default;

RegionId PagedRegion::id() const {
  return impl_->options().id;
}
std::uint64_t PagedRegion::size() const {
  return impl_->ledger().size();
}
std::uint64_t PagedRegion::max_size() const {
  return impl_->ledger().max_size();
}
const std::string& PagedRegion::name() const {
  return impl_->options().name;
}
Result<void> PagedRegion::read(std::uint64_t offset, std::span<std::byte> to) const {
  return impl_->read(offset, to);
}
Result<void> PagedRegion::write(std::uint64_t offset, std::span<const std::byte> from) {
  return impl_->write(offset, from);
}
Result<void> PagedRegion::discard(PageRange pages) {
  return impl_->discard(pages);
}
Result<void> PagedRegion::revoke() {
  return impl_->revoke();
}
bool PagedRegion::in_use() const {
  return impl_->in_use();
}
void PagedRegion::on_idle(std::function<void()> callback) {
  impl_->on_idle(std::move(callback));
}
Result<void> PagedRegion::unmap(PageRange pages) {
  return impl_->unmap(pages);
}
Result<void> PagedRegion::resize(std::uint64_t size) {
  return impl_->resize(size);
}
void PagedRegion::set_size(std::uint64_t size) {
  impl_->ledger().set_size(size);
}
Result<std::vector<bool>> PagedRegion::resident(PageRange pages) const {
  return impl_->resident(pages);
}
std::string PagedRegion::describe() const {
  return impl_->ledger().describe();
}
PagedCounters PagedRegion::counters() const {
  return impl_->ledger().counters();
}

namespace {

template <class Call>
Completion call_later(const std::shared_ptr<PagedRegion::Impl>& region, const PagedRegion::Impl::Need& need,
                      Call call) {
  // Those of one region one after the other.
  const NodeId key{reinterpret_cast<std::uintptr_t>(region.get())};  // NOLINT(*-reinterpret-cast)
  const auto number = region->queued(need);
  auto state = std::make_shared<Completion::State>([region, number]() -> std::shared_ptr<void> {
    auto wait = std::make_shared<mapping::WaitGraph::Wait>([region, number] { return region->holders_of(number); });
    return wait->endless() ? nullptr : wait;
  });
  PagedRegion::Impl::later().post(key, [region, state, number, call = std::move(call)](bool go_ahead) {
    auto outcome = go_ahead ? call(*region) : fail(ECANCELED, "the program ends");
    region->dequeued(number);
    state->set(std::move(outcome));
  });
  return Completion(std::move(state));
}

}  // namespace

Completion PagedRegion::write_later(std::uint64_t offset, std::vector<std::byte> from) {
  const Impl::Need need{{offset, offset + from.size()}, true, true};
  return call_later(impl_, need, [offset, from = std::move(from)](Impl& region) { return region.write(offset, from); });
}
Completion PagedRegion::discard_later(PageRange pages) {
  return call_later(impl_, Impl::need_of(pages), [pages](Impl& region) { return region.discard(pages); });
}
Completion PagedRegion::unmap_later(PageRange pages) {
  return call_later(impl_, Impl::need_of(pages), [pages](Impl& region) { return region.unmap(pages); });
}
Completion PagedRegion::resize_later(std::uint64_t size) {
  const Impl::Need need{{std::min(size, this->size()), Impl::kLargest}, true, true};
  return call_later(impl_, need, [size](Impl& region) { return region.resize(size); });
}

}  // namespace dmmap
