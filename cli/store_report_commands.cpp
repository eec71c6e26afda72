#include "cli/store_report_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>

#include "cli/daemon_options.h"
#include "servers/store/filesystem/store_counts.h"
#include "servers/store/kv/database.h"
#include "servers/store/kv/table_check.h"
#include "servers/store/kv/view.h"
#include "servers/store/pages/file_pages.h"
#include "servers/store/pages/page_check.h"
#include "servers/store/tree/tree_check.h"

namespace dmmap::cli {

namespace {

Result<std::unique_ptr<store::Database>> open_as_it_is(const std::string& folder, bool accept_loss = false) {
  store::DatabaseOptions options;
  options.accept_loss = accept_loss;
  options.read_only = true;
  return store::Database::open(folder, options);
}

std::string megabytes(std::uint64_t pages) {
  constexpr double kMegabyte = 1 << 20;
  return fmt::format("{:.1f} MiB", static_cast<double>(pages) * store::kStorePage / kMegabyte);
}

// Of the files that RocksDB has, in bytes.
std::uint64_t space_of(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code code;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, code)) {
    const auto size = entry.is_regular_file(code) ? entry.file_size(code) : 0;
    bytes += code ? 0 : size;
  }
  return bytes;
}

Result<void> report(const std::string& folder, std::ostream& out) {
  const auto database = open_as_it_is(folder);
  if (!database) {
    return tl::unexpected(database.error());
  }
  const store::View view(**database);
  const auto counts = store::count_store(view);
  if (!counts) {
    return tl::unexpected(counts.error());
  }
  out << fmt::format("files         {}\n", counts->files) << fmt::format("directories   {}\n", counts->directories)
      << fmt::format("without name  {}\n", counts->orphans)
      << fmt::format("pages shown   {:<12} {}\n", counts->shown, megabytes(counts->shown))
      << fmt::format("pages         {:<12} {}\n", counts->pages(), megabytes(counts->pages()))
      << fmt::format("  shared      {:<12} {}\n", counts->shared, megabytes(counts->shared))
      << fmt::format("  to remove   {:<12} {}\n", counts->freed, megabytes(counts->freed))
      << fmt::format("space on disk {:<12} {}\n", "", megabytes(space_of(folder) / store::kStorePage));
  return {};
}

// Whether it's sound.
Result<bool> check(const std::string& folder, std::ostream& out, std::ostream& err) {
  // What can be read where something is lost is to be looked at too.
  const auto database = open_as_it_is(folder, /*accept_loss=*/true);
  if (!database) {
    return tl::unexpected(database.error());
  }
  const store::View view(**database);
  const auto complain = [&err](const std::string& complaint) { err << complaint << "\n"; };
  std::for_each((*database)->remarks().begin(), (*database)->remarks().end(), complain);
  const std::uint64_t files = store::check_table_files(**database, complain);
  const auto tree = store::check_tree(view, complain);
  if (!tree) {
    return tl::unexpected(tree.error());
  }
  const auto pages = store::check_pages(view, complain);
  if (!pages) {
    return tl::unexpected(pages.error());
  }
  const std::uint64_t damaged = (*database)->remarks().size() + files + tree->damaged + pages->damaged;
  out << fmt::format("{} files and {} directories, {} pages, of which {} are shared: ", tree->files, tree->directories,
                     pages->pages, pages->shared)
      << (damaged == 0 ? "all sound" : fmt::format("{} complaints", damaged)) << "\n";
  return damaged == 0;
}

}  // namespace

void add_store_report_commands(CLI::App& store, std::ostream& out, std::ostream& err, int& status) {
  const auto folder = std::make_shared<std::string>();
  CLI::App* const stat = store.add_subcommand("stat", "Say what is in a store: files, pages, shared pages, space");
  stat->add_option("database", *folder, "the store's folder")->required();
  stat->callback([&out, &err, &status, folder] {
    if (const auto reported = report(*folder, out); !reported) {
      err << "dmmap store stat: " << reported.error().message << std::endl;
      status = kFailed;
    }
  });
  CLI::App* const checking =
      store.add_subcommand("check", "Read all of a store and verify checksums, counts and the tree");
  checking->add_option("database", *folder, "the store's folder; nobody may be serving it")->required();
  checking->callback([&out, &err, &status, folder] {
    const auto sound = check(*folder, out, err);
    if (!sound) {
      err << "dmmap store check: " << sound.error().message << std::endl;
    }
    status = sound && *sound ? 0 : kFailed;
  });
}

}  // namespace dmmap::cli
