#include "preload/asked_devices.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "support/mounts.h"

namespace dmmap::testing {

namespace {

constexpr std::uint64_t kMost = 1 << 20;

void must(const Result<void>& done) {
  if (!done) {
    throw std::runtime_error(done.error().message);
  }
}

Grant whole(std::shared_ptr<Region> region, std::uint64_t offset) {
  Grant grant;
  grant.region = std::move(region);
  grant.offset = offset;
  return grant;
}

}  // namespace

Result<std::shared_ptr<SharedRegion>> make_region(const std::string& text, std::uint64_t size) {
  static std::atomic<std::uint64_t> next{1000};
  auto region = SharedRegion::create({.id = {next++}, .size = size, .name = text});
  if (region) {
    must((*region)->write(0, std::as_bytes(std::span(text))));
  }
  return region;
}

std::shared_ptr<SharedRegion> region_with(const std::string& text, std::uint64_t size) {
  return make_region(text, size).value();
}

class AskedDevices::Asked final : public Stream {
 public:
  Asked(AskedDevices& devices, std::string name, std::function<Result<Grant>(const MapRequest&)> map)
      : devices_(devices), name_(std::move(name)), map_(std::move(map)) {}

  Result<Grant> map(const MapRequest& request) override {
    if (request.moment == MapMoment::open) {
      return map_(request);
    }
    {
      const std::lock_guard lock(devices_.lock_);
      devices_.requests_.push_back(request);
    }
    auto grant = map_(request);
    devices_.note((grant ? "map " : "refuse ") + name_);
    return grant;
  }
  void unmapped(const MapRequest& /*request*/, const Grant& /*grant*/) override { devices_.note("unmapped " + name_); }
  void write(const WriteRequest& request, Reply<Written> reply) override {
    devices_.note(std::string(reinterpret_cast<const char*>(request.data.data()), request.data.size()));
    reply.ok({static_cast<std::uint32_t>(request.data.size())});
  }
  void released() override { devices_.note("released " + name_); }

 private:
  AskedDevices& devices_;
  const std::string name_;
  const std::function<Result<Grant>(const MapRequest&)> map_;
};

AskedDevices::AskedDevices() {
  const auto playback = region_with("playback", kMost);
  const auto capture = region_with("capture", kMost);
  add_device("duplex", [=](const MapRequest& request) -> Result<Grant> {
    return whole(request.write ? playback : capture, request.offset);
  });
  add_device("fresh", [](const MapRequest& request) -> Result<Grant> {
    if (request.length.value_or(0) > kMost) {
      return fail(ENXIO, "1 MiB is the most");
    }
    const auto region = make_region("fresh one", request.length.value_or(kMost));
    if (!region) {
      return tl::unexpected(region.error());
    }
    Grant grant = whole(*region, 0);
    grant.may_grow = false;
    return grant;
  });
  const auto alone = region_with("alone", kMost);
  add_device("alone", [=](const MapRequest& request) -> Result<Grant> {
    Grant grant = whole(alone, request.offset);
    grant.inherit = false;
    return grant;
  });
  const auto first = region_with("a0", kMost);
  const auto second = region_with("b0", kMost);
  const std::string texts = "b1a2";
  must(second->write(page_size(), std::as_bytes(std::span(texts).first(2))));
  must(first->write(2 * page_size(), std::as_bytes(std::span(texts).last(2))));
  add_device("mosaic", [=](const MapRequest& request) -> Result<Grant> {
    if (request.length != 4 * page_size()) {
      return fail(EINVAL, "four pages");
    }
    Grant grant;
    const std::uint64_t page = page_size();
    grant.pieces = {{first, 0, page}, {second, page, page}, {second, page, page}, {first, 2 * page, page}};
    return grant;
  });
  add_device("odd", [this](const MapRequest& request) -> Result<Grant> {
    const std::lock_guard lock(lock_);
    return request.moment == MapMoment::mmap && odd_ ? odd_(request) : fail(ENODEV, "not at open");
  });
  add_device("marks", [](const MapRequest&) -> Result<Grant> { return fail(ENODEV, "nothing"); });
  add_device(
      "device", [=](const MapRequest& request) -> Result<Grant> { return whole(playback, request.offset); },
      DeviceNumber{14, 3});
  must(add_file({.name = "file"}, region_with("file", kMost)));
}

void AskedDevices::add_device(const std::string& name, std::function<Result<Grant>(const MapRequest&)> map,
                              std::optional<DeviceNumber> number) {
  must(add(
      {.name = name, .size = kMost, .own_io = true, .character_device = number},
      [this, name, map = std::move(map)](const OpenRequest&) { return std::make_shared<Asked>(*this, name, map); }));
}

void AskedDevices::set_odd(std::function<Result<Grant>(const MapRequest&)> odd) {
  const std::lock_guard lock(lock_);
  odd_ = std::move(odd);
}

void AskedDevices::note(const std::string& event) {
  const std::lock_guard lock(lock_);
  events_.push_back(event);
}

std::vector<std::string> AskedDevices::events() const {
  const std::lock_guard lock(lock_);
  return events_;
}

long AskedDevices::count(const std::string& event) const {
  const std::lock_guard lock(lock_);
  return std::count(events_.begin(), events_.end(), event);
}

long AskedDevices::place(const std::string& event) const {
  const std::lock_guard lock(lock_);
  const auto found = std::find(events_.begin(), events_.end(), event);
  return found == events_.end() ? -1 : found - events_.begin();
}

bool AskedDevices::wait_for(const std::string& event, long count) const {
  return wait_until([&] { return this->count(event) >= count; }, std::chrono::seconds(5));
}

bool AskedDevices::wait_until_all_ended() const {
  return wait_until(
      [this] {
        const auto all = events();
        long open = 0;
        for (const std::string& event : all) {
          open += event.starts_with("map ") ? 1 : event.starts_with("unmapped ") ? -1 : 0;
        }
        return open == 0 && open_streams() == 0 && regions().empty();
      },
      std::chrono::seconds(10));
}

std::vector<MapRequest> AskedDevices::requests() const {
  const std::lock_guard lock(lock_);
  return requests_;
}

}  // namespace dmmap::testing
