#include "mapping/regions_file.h"

#include <dmmap/paged_region.h>

#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "mapping/library_file.h"
#include "protocol/regions_protocol.h"

namespace dmmap::mapping {

namespace {

constexpr NodeId kNode{std::numeric_limits<std::uint64_t>::max() - 1};  // none that MmapGrants comes to
constexpr std::uint64_t kMostLookedAt = std::uint64_t{1} << 30;         // bytes, of a paged region

Attributes attributes() {
  Attributes found = library_file(kNode, 0);
  found.mode = S_IFREG | 0400;
  return found;
}

// Bytes that are in the page cache now; null where that isn't known.
nlohmann::json resident_bytes(const PagedRegion& region) {
  const std::uint64_t size = region.size();
  if (size > kMostLookedAt) {
    return nullptr;
  }
  const auto pages = region.resident({0, (size + page_size() - 1) / page_size()});
  if (!pages) {
    return nullptr;
  }
  return static_cast<std::uint64_t>(std::count(pages->begin(), pages->end(), true)) * page_size();
}

nlohmann::json json_of(const Holding& holding) {
  return {{"tier", tier_name(holding.tier)},
          {"process", holding.process},
          {"node", holding.node.value},
          {"offset", holding.offset},
          {"length", holding.length},
          {"write", holding.write},
          {"prot", holding.prot}};
}

nlohmann::json json_of(const RegionUse& use) {
  nlohmann::json json{{"id", use.region->id().value},
                      {"name", use.region->name()},
                      {"size", use.region->size()},
                      {"in_use", use.region->in_use()},
                      {"holdings", nlohmann::json::array()}};
  if (const auto paged = std::dynamic_pointer_cast<PagedRegion>(use.region)) {
    const PagedCounters counters = paged->counters();
    json["kind"] = "paged";
    json["resident"] = resident_bytes(*paged);
    json["faults"] = counters.faults;
    json["writebacks"] = counters.writebacks;
  } else if (const auto shared = std::dynamic_pointer_cast<SharedRegion>(use.region)) {
    json["kind"] = "shared";
    json["resident"] = shared->resident_bytes();
  }
  for (const Holding& holding : use.holdings) {
    json["holdings"].push_back(json_of(holding));
  }
  return json;
}

}  // namespace

std::string json_of(const std::vector<RegionUse>& regions) {
  nlohmann::json json{{"version", 1}, {"regions", nlohmann::json::array()}};
  for (const RegionUse& use : regions) {
    json["regions"].push_back(json_of(use));
  }
  // A region's name may have bytes that aren't UTF-8.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

bool RegionsFile::take(const LookupRequest& request, Reply<Entry>& reply) {
  if (request.node != kRootNode || request.name != protocol::kRegionsFile) {
    return false;
  }
  Entry entry;
  entry.node = kNode;
  entry.attributes = attributes();
  reply.ok(entry);
  return true;
}

bool RegionsFile::take(const GetattrRequest& request, Reply<AttributesReply>& reply) {
  if (request.node == kNode) {
    reply.ok({attributes()});
  }
  return request.node == kNode;
}

bool RegionsFile::take(const OpenRequest& request, Reply<Opened>& reply) {
  if (request.node != kNode) {
    return false;
  }
  if (request.caller.uid != 0 && request.caller.uid != ::geteuid()) {
    reply.error(EACCES);
    return true;
  }
  auto text = std::make_shared<const std::string>(json_of(filesystem_.regions()));
  Opened opened;
  opened.direct_io = true;
  opened.no_flush = true;
  {
    const MutexLock lock(lock_);
    opened.handle = {next_handle_++};
    texts_[opened.handle] = std::move(text);
  }
  if (reply.ok(opened) == Delivery::gone) {
    const MutexLock lock(lock_);
    texts_.erase(opened.handle);
  }
  return true;
}

bool RegionsFile::take(const ReadRequest& request, Reply<Data>& reply) {
  if (request.node != kNode) {
    return false;
  }
  std::shared_ptr<const std::string> text;
  {
    const MutexLock lock(lock_);
    const auto found = texts_.find(request.handle);
    text = found == texts_.end() ? nullptr : found->second;
  }
  if (!text) {
    reply.error(EBADF);
    return true;
  }
  const std::size_t begin = std::min<std::size_t>(request.offset, text->size());
  reply.ok({std::as_bytes(std::span(*text).subspan(begin, std::min<std::size_t>(request.size, text->size() - begin)))});
  return true;
}

bool RegionsFile::take(const ReleaseRequest& request, Reply<Done>& reply) {
  if (request.node != kNode) {
    return false;
  }
  {
    const MutexLock lock(lock_);
    texts_.erase(request.handle);
  }
  reply.ok({});
  return true;
}

}  // namespace dmmap::mapping
