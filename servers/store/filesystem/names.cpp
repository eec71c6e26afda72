// StoreFilesystem's names and attributes.
#include <fcntl.h>
#include <sys/stat.h>

#include "servers/store/filesystem/attributes.h"
#include "servers/store/filesystem/changes.h"
#include "servers/store/kv/view.h"
#include "servers/store/tree/tree.h"
#include "servers/store/tree/xattrs.h"

namespace dmmap::store {

namespace {

constexpr std::uint32_t kModeBits = 07777;

Result<Entry> entry(const Result<Inode>& inode) {
  return inode.map(entry_of);
}

NewFile new_file(const Caller& caller, std::uint32_t mode) {
  return {.mode = mode, .uid = caller.uid, .gid = caller.gid};
}

}  // namespace

template <class Make>
Result<Inode> StoreFilesystem::made(const Make& make) {
  if (auto roomy = room(); !roomy) {
    return tl::unexpected(roomy.error());
  }
  return committed([&make](Transaction& transaction) {
    Tree tree(transaction, now());
    return make(tree);
  });
}

void StoreFilesystem::lookup(const LookupRequest& request, Reply<Entry> reply) {
  if (request.name.size() > kLongestName) {
    reply.error(ENAMETOOLONG);
    return;
  }
  const View view(database_);
  const auto found = Directory(file_of(request.node)).find(view, request.name);
  if (!found) {
    refuse(reply, found);
    return;
  }
  if (!*found) {
    // That there's none stays true until the kernel has one made.
    Entry none = entry_of({});
    none.attributes = {};
    reply.ok(none);
    return;
  }
  answer(reply, entry(get_inode(view, (*found)->file)));
}

void StoreFilesystem::getattr(const GetattrRequest& request, Reply<AttributesReply> reply) {
  const View view(database_);
  answer(reply, get_inode(view, file_of(request.node)).map(attributes_reply));
}

void StoreFilesystem::statx(const StatxRequest& request, Reply<StatxReply> reply) {
  const View view(database_);
  const auto inode = get_inode(view, file_of(request.node));
  if (!inode) {
    refuse(reply, inode);
    return;
  }
  StatxReply status;
  const AttributesReply attributes = attributes_reply(*inode);
  status.attributes = attributes.attributes;
  status.valid = attributes.valid;
  status.birth = inode->born;
  status.mask = STATX_BASIC_STATS | STATX_BTIME;
  reply.ok(status);
}

Result<Inode> StoreFilesystem::attributes_set(const SetattrRequest& request) {
  const FileId file = file_of(request.node);
  if (request.size) {
    if (auto inode = resized(file, *request.size); !inode) {
      return inode;
    }
  }
  return changed(file, [&request](Transaction& /*transaction*/, Inode& inode) -> Result<Inode> {
    const timespec moment = now();
    if (request.mode) {
      inode.mode = (inode.mode & S_IFMT) | (*request.mode & kModeBits);
    }
    inode.uid = request.uid.value_or(inode.uid);
    inode.gid = request.gid.value_or(inode.gid);
    inode.accessed = request.atime_now ? moment : request.atime.value_or(inode.accessed);
    inode.modified = request.mtime_now ? moment : request.mtime.value_or(request.size ? moment : inode.modified);
    inode.changed = request.ctime.value_or(moment);
    return inode;
  });
}

void StoreFilesystem::setattr(const SetattrRequest& request, Reply<AttributesReply> reply) {
  answer(reply, attributes_set(request).map(attributes_reply));
}

void StoreFilesystem::readlink(const ReadlinkRequest& request, Reply<Data> reply) {
  const View view(database_);
  const auto inode = get_inode(view, file_of(request.node));
  if (!inode) {
    refuse(reply, inode);
    return;
  }
  reply.ok({std::as_bytes(std::span(inode->target))});
}

void StoreFilesystem::symlink(const SymlinkRequest& request, Reply<Entry> reply) {
  NewFile file = new_file(request.caller, S_IFLNK | 0777U);
  file.target = request.target;
  answer(reply, entry(made([&](Tree& tree) { return tree.make(file_of(request.node), request.name, file); })));
}

void StoreFilesystem::mknod(const MknodRequest& request, Reply<Entry> reply) {
  NewFile file = new_file(request.caller, request.mode);
  file.rdev = request.rdev;
  answer(reply, entry(made([&](Tree& tree) { return tree.make(file_of(request.node), request.name, file); })));
}

void StoreFilesystem::mkdir(const MkdirRequest& request, Reply<Entry> reply) {
  const NewFile file = new_file(request.caller, S_IFDIR | (request.mode & kModeBits));
  answer(reply, entry(made([&](Tree& tree) { return tree.make(file_of(request.node), request.name, file); })));
}

void StoreFilesystem::create(const CreateRequest& request, Reply<Created> reply) {
  const NewFile file = new_file(request.caller, S_IFREG | (request.mode & kModeBits));
  answer_created(reply, request.flags,
                 made([&](Tree& tree) { return tree.make(file_of(request.node), request.name, file); }));
}

void StoreFilesystem::tmpfile(const TmpfileRequest& request, Reply<Created> reply) {
  const NewFile file = new_file(request.caller, S_IFREG | (request.mode & kModeBits));
  answer_created(reply, request.flags,
                 made([&](Tree& tree) { return tree.make_unnamed(file_of(request.node), file); }));
}

void StoreFilesystem::answer_created(Reply<Created>& reply, int flags, const Result<Inode>& inode) {
  if (!inode) {
    refuse(reply, inode);
    return;
  }
  Created created;
  created.entry = entry_of(*inode);
  created.opened.keep_cache = true;
  answer_open(reply, created, inode->file, flags);
}

void StoreFilesystem::link(const LinkRequest& request, Reply<Entry> reply) {
  answer(
      reply,
      entry(made([&](Tree& tree) { return tree.link(file_of(request.target), file_of(request.node), request.name); })));
}

void StoreFilesystem::unlink(const UnlinkRequest& request, Reply<Done> reply) {
  answer(reply, done(committed([&](Transaction& transaction) {
           return Tree(transaction, now()).unlink(file_of(request.node), request.name);
         })));
}

void StoreFilesystem::rmdir(const RmdirRequest& request, Reply<Done> reply) {
  answer(reply, done(committed([&](Transaction& transaction) {
           return Tree(transaction, now()).rmdir(file_of(request.node), request.name);
         })));
}

void StoreFilesystem::rename(const RenameRequest& request, Reply<Done> reply) {
  answer(reply, done(committed([&](Transaction& transaction) {
           return Tree(transaction, now())
               .rename(file_of(request.node), request.name, file_of(request.new_directory), request.new_name,
                       request.flags);
         })));
}

namespace {

// No access control lists: modes alone decide (SessionOptions).
bool is_kept(std::string_view attribute) {
  return !attribute.starts_with("system.");
}

}  // namespace

void StoreFilesystem::setxattr(const SetxattrRequest& request, Reply<Done> reply) {
  if (!is_kept(request.name)) {
    reply.error(EOPNOTSUPP);
    return;
  }
  const auto roomy = room();
  if (!roomy) {
    refuse(reply, roomy);
    return;
  }
  const std::string_view value(reinterpret_cast<const char*>(request.value.data()), request.value.size());
  answer(reply, done(changed(file_of(request.node), [&](Transaction& transaction, Inode& inode) {
           inode.changed = now();
           return Xattrs(inode.file).set(transaction, request.name, value, request.flags);
         })));
}

void StoreFilesystem::getxattr(const GetxattrRequest& request, Reply<Xattr> reply) {
  const View view(database_);
  const auto value = Xattrs(file_of(request.node)).get(view, request.name);
  if (!value) {
    refuse(reply, value);
  } else if (!*value) {
    reply.error(is_kept(request.name) ? ENODATA : EOPNOTSUPP);
  } else {
    reply.ok({std::as_bytes(std::span(**value))});
  }
}

void StoreFilesystem::listxattr(const ListxattrRequest& request, Reply<Xattr> reply) {
  const View view(database_);
  const auto names = Xattrs(file_of(request.node)).list(view);
  if (!names) {
    refuse(reply, names);
    return;
  }
  reply.ok({std::as_bytes(std::span(*names))});
}

void StoreFilesystem::removexattr(const RemovexattrRequest& request, Reply<Done> reply) {
  answer(reply, done(changed(file_of(request.node), [&](Transaction& transaction, Inode& inode) {
           inode.changed = now();
           return Xattrs(inode.file).remove(transaction, request.name);
         })));
}

}  // namespace dmmap::store
