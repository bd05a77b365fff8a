#include "doors/sim_file_system.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/random.h"

namespace cairn {

// A file or directory. The entries of a directory exist twice: as processes see them and as the platter has
// them.
struct SimNode {
  bool is_directory = false;
  std::vector<std::byte> bytes;
  std::size_t durable_size = 0;  // files grow or are cut, so what is synced is a prefix
  std::int64_t num_changes = 0;  // stands for the time of the last one
  std::map<std::string, std::shared_ptr<SimNode>> entries;
  std::map<std::string, std::shared_ptr<SimNode>> durable_entries;
};

namespace {

using NodePtr = std::shared_ptr<SimNode>;

// One name now means another node (or none). Applying a change to durable_entries makes it durable.
struct EntryChange {
  NodePtr directory;
  std::string name;
  NodePtr node;  // null: the name is gone
};

// The changes of one operation, which survive a crash together or not at all.
using MetadataOperation = std::vector<EntryChange>;

struct Place {
  NodePtr directory;  // null when a part of the way is missing or is a file
  std::string name;   // empty for the root
};

std::vector<std::string> path_parts(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    std::string part = path.substr(begin, end - begin);
    CHECK(part != "..", "the simulated disk takes no '..'");
    if (!part.empty() && part != ".") {
      parts.push_back(std::move(part));
    }
    begin = end + 1;
  }
  return parts;
}

Status missing(std::string_view action, const std::string& path) {
  return no_input(fmt::format("{} '{}': No such file or directory", action, path));
}

}  // namespace

struct SimFileSystem::Disk {
  mutable std::mutex mutex;
  NodePtr root = std::make_shared<SimNode>();
  std::vector<MetadataOperation> pending;  // not yet durable, in order of time
  std::map<std::string, std::string> locks;
  RandomStream random;
  std::int64_t num_operations = 0;
  std::int64_t stop_operation = -1;
  std::int64_t fail_operation = -1;
  Status fail_status;
  std::int64_t free_bytes = std::int64_t{1} << 50;
  std::uint64_t epoch = 0;  // open files of an earlier epoch are dead

  explicit Disk(std::uint64_t seed) : random(random_key(seed, "simulated disk"), 0) {
    root->is_directory = true;
  }

  bool is_stopped() const { return stop_operation >= 0 && num_operations > stop_operation; }

  // Counts one operation; its fate.
  Status begin(std::string_view action, const std::string& path) {
    const std::int64_t operation = num_operations++;
    if (stop_operation >= 0 && operation >= stop_operation) {
      return io_error(fmt::format("{} '{}': the simulated machine has stopped", action, path));
    }
    if (operation == fail_operation) {
      return fail_status;
    }
    return ok_status();
  }

  Place find_place(const std::string& path) const {
    const std::vector<std::string> parts = path_parts(path);
    NodePtr directory = root;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto entry = directory->entries.find(parts[i]);
      if (entry == directory->entries.end() || !entry->second->is_directory) {
        return {};
      }
      directory = entry->second;
    }
    return {directory, parts.empty() ? "" : parts.back()};
  }

  NodePtr find_node(const std::string& path) const {
    const Place place = find_place(path);
    if (!place.directory || place.name.empty()) {
      return place.directory;
    }
    const auto entry = place.directory->entries.find(place.name);
    return entry == place.directory->entries.end() ? nullptr : entry->second;
  }

  static void apply(const EntryChange& change, std::map<std::string, NodePtr>& entries) {
    if (change.node) {
      entries[change.name] = change.node;
    } else {
      entries.erase(change.name);
    }
  }

  void change(MetadataOperation operation) {
    for (const EntryChange& entry : operation) {
      apply(entry, entry.directory->entries);
    }
    pending.push_back(std::move(operation));
  }

  // Every change in `directory` becomes durable, and with it those it cannot be separated from.
  void make_durable(const NodePtr& directory) {
    std::set<const SimNode*> directories = {directory.get()};
    const auto touches = [&](const MetadataOperation& operation) {
      return std::any_of(operation.begin(), operation.end(), [&](const EntryChange& entry) {
        return directories.contains(entry.directory.get());
      });
    };
    std::size_t before = 0;
    while (before != directories.size()) {  // a rename between directories joins them
      before = directories.size();
      for (const MetadataOperation& operation : pending) {
        if (touches(operation)) {
          std::for_each(operation.begin(), operation.end(),
                        [&](const EntryChange& entry) { directories.insert(entry.directory.get()); });
        }
      }
    }
    std::vector<MetadataOperation> rest;
    for (MetadataOperation& operation : pending) {
      if (!touches(operation)) {
        rest.push_back(std::move(operation));
        continue;
      }
      for (const EntryChange& entry : operation) {
        apply(entry, entry.directory->durable_entries);
      }
    }
    pending = std::move(rest);
  }

  // Appends as much as the disk has room for; the rest of a torn append is lost.
  void append(SimNode& node, std::span<const std::byte> bytes) {
    node.bytes.insert(node.bytes.end(), bytes.begin(), bytes.end());
    ++node.num_changes;
    free_bytes -= static_cast<std::int64_t>(bytes.size());
  }

  void forget(const NodePtr& node) {
    if (node && !node->is_directory) {
      free_bytes += static_cast<std::int64_t>(node->bytes.size());
    }
  }

  std::size_t draw_up_to(std::size_t count) { return static_cast<std::size_t>(random.next_below(count + 1)); }

  // Which pending changes reached the platter: all, none or any, but for each name in order of time.
  void settle_entries() {
    const std::uint64_t mode = random.next_below(4);
    std::set<std::pair<const SimNode*, std::string>> cut;
    for (const MetadataOperation& operation : pending) {
      bool survives = mode == 0 || (mode >= 2 && random.next_below(2) == 0);
      for (const EntryChange& entry : operation) {
        survives = survives && !cut.contains({entry.directory.get(), entry.name});
      }
      for (const EntryChange& entry : operation) {
        if (survives) {
          apply(entry, entry.directory->durable_entries);
        } else {
          cut.insert({entry.directory.get(), entry.name});
        }
      }
    }
    pending.clear();
  }

  // Of the bytes after the last sync a part is kept, and of that part the end may be zeros.
  void settle_file(SimNode& node) {
    const std::size_t unsynced = node.bytes.size() - node.durable_size;
    const std::size_t kept = random.next_below(3) == 0 ? unsynced : draw_up_to(unsynced);
    node.bytes.resize(node.durable_size + kept);
    if (kept > 0 && random.next_below(2) == 0) {
      const std::size_t damaged = draw_up_to(kept);
      std::fill(node.bytes.end() - static_cast<std::ptrdiff_t>(damaged), node.bytes.end(), std::byte{0});
    }
    node.durable_size = node.bytes.size();
  }

  void settle_tree(SimNode& node) {
    if (!node.is_directory) {
      settle_file(node);
      return;
    }
    node.entries = node.durable_entries;
    for (const auto& [name, child] : node.entries) {
      settle_tree(*child);
    }
  }
};

namespace {

class SimWritableFile : public WritableFile {
 public:
  SimWritableFile(std::shared_ptr<SimFileSystem::Disk> disk, NodePtr node, std::string path)
      : disk_(std::move(disk)), node_(std::move(node)), path_(std::move(path)), epoch_(disk_->epoch) {}

  Status append(std::span<const std::byte> bytes) override {
    const std::lock_guard lock(disk_->mutex);
    TRY(check_alive("cannot write to"));
    const bool was_stopped = disk_->is_stopped();
    const Status fate = disk_->begin("cannot write to", path_);
    if (!fate.ok()) {
      if (!was_stopped) {
        disk_->append(*node_, bytes.first(disk_->draw_up_to(bytes.size())));
      }
      return fate;
    }
    const auto room = static_cast<std::size_t>(std::max<std::int64_t>(disk_->free_bytes, 0));
    disk_->append(*node_, bytes.first(std::min(room, bytes.size())));
    if (bytes.size() > room) {
      return cannot_write(fmt::format("cannot write to '{}': No space left on device", path_));
    }
    return ok_status();
  }

  Status sync() override {
    const std::lock_guard lock(disk_->mutex);
    TRY(check_alive("cannot sync"));
    const Status fate = disk_->begin("cannot sync", path_);
    if (!fate.ok()) {
      has_failed_ = true;
      return fate;
    }
    node_->durable_size = node_->bytes.size();
    return ok_status();
  }

  Status close() override {
    const std::lock_guard lock(disk_->mutex);
    CHECK(!is_closed_, "a file is closed once");
    is_closed_ = true;
    TRY(check_alive("cannot close"));
    return disk_->begin("cannot close", path_);
  }

 private:
  Status check_alive(std::string_view action) const {
    if (epoch_ != disk_->epoch) {
      return io_error(fmt::format("{} '{}': it was open when the machine crashed", action, path_));
    }
    if (has_failed_) {
      return io_error(fmt::format("{} '{}': an earlier sync failed", action, path_));
    }
    return ok_status();
  }

  std::shared_ptr<SimFileSystem::Disk> disk_;
  NodePtr node_;
  std::string path_;
  std::uint64_t epoch_;
  bool has_failed_ = false;
  bool is_closed_ = false;
};

class SimReadableFile : public ReadableFile {
 public:
  SimReadableFile(std::shared_ptr<SimFileSystem::Disk> disk, NodePtr node, std::string path)
      : disk_(std::move(disk)), node_(std::move(node)), path_(std::move(path)), epoch_(disk_->epoch) {
    size_ = static_cast<std::int64_t>(node_->bytes.size());
    num_changes_ = node_->num_changes;
  }

  std::int64_t size() const override { return size_; }
  std::int64_t modified_ns() const override { return num_changes_; }

  Status read(std::int64_t offset, std::span<std::byte> out) const override {
    const std::lock_guard lock(disk_->mutex);
    if (epoch_ != disk_->epoch) {
      return io_error(fmt::format("cannot read '{}': it was open when the machine crashed", path_));
    }
    TRY(disk_->begin("cannot read", path_));
    CHECK(offset >= 0, "a file offset is never negative");
    const auto begin = static_cast<std::size_t>(offset);
    if (begin > node_->bytes.size() || out.size() > node_->bytes.size() - begin) {
      return bad_data(fmt::format("'{}' ends at byte {}, {} were wanted from {}", path_, node_->bytes.size(),
                                  out.size(), offset));
    }
    std::copy_n(node_->bytes.begin() + offset, out.size(), out.begin());
    return ok_status();
  }

 private:
  std::shared_ptr<SimFileSystem::Disk> disk_;
  NodePtr node_;
  std::string path_;
  std::uint64_t epoch_;
  std::int64_t size_ = 0;
  std::int64_t num_changes_ = 0;
};

class SimFileLock : public FileLock {
 public:
  SimFileLock(std::shared_ptr<SimFileSystem::Disk> disk, std::string key)
      : disk_(std::move(disk)), key_(std::move(key)), epoch_(disk_->epoch) {}
  ~SimFileLock() override {
    const std::lock_guard lock(disk_->mutex);
    if (epoch_ == disk_->epoch) {
      disk_->locks.erase(key_);
    }
  }

 private:
  std::shared_ptr<SimFileSystem::Disk> disk_;
  std::string key_;
  std::uint64_t epoch_;
};

std::string lock_key(const std::string& path) {
  std::string key;
  for (const std::string& part : path_parts(path)) {
    key += '/';
    key += part;
  }
  return key;
}

void collect_files(const SimNode& node, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [name, child] : node.entries) {
    const std::string path = prefix.empty() ? name : fmt::format("{}/{}", prefix, name);
    if (child->is_directory) {
      collect_files(*child, path, out);
    } else {
      out.push_back(path);
    }
  }
}

}  // namespace

SimFileSystem::SimFileSystem(std::uint64_t seed) : disk_(std::make_shared<Disk>(seed)) {}
SimFileSystem::~SimFileSystem() = default;

std::int64_t SimFileSystem::num_operations() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->num_operations;
}

void SimFileSystem::stop_at(std::int64_t operation) {
  const std::lock_guard lock(disk_->mutex);
  disk_->stop_operation = operation;
}

void SimFileSystem::fail_at(std::int64_t operation, Status status) {
  CHECK(!status.ok(), "a fault needs an error");
  const std::lock_guard lock(disk_->mutex);
  disk_->fail_operation = operation;
  disk_->fail_status = std::move(status);
}

void SimFileSystem::set_free_bytes(std::int64_t num_bytes) {
  const std::lock_guard lock(disk_->mutex);
  disk_->free_bytes = num_bytes;
}

void SimFileSystem::clear_faults() {
  const std::lock_guard lock(disk_->mutex);
  disk_->stop_operation = -1;
  disk_->fail_operation = -1;
  disk_->free_bytes = std::int64_t{1} << 50;
}

void SimFileSystem::crash() {
  const std::lock_guard lock(disk_->mutex);
  disk_->settle_entries();
  disk_->settle_tree(*disk_->root);
  ++disk_->epoch;
  disk_->locks.clear();
  disk_->stop_operation = -1;
}

void SimFileSystem::kill_process() {
  const std::lock_guard lock(disk_->mutex);
  ++disk_->epoch;
  disk_->locks.clear();
  disk_->stop_operation = -1;
}

bool SimFileSystem::is_stopped() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->is_stopped();
}

void SimFileSystem::flip_bit(const std::string& path, std::int64_t offset, int bit) {
  const std::lock_guard lock(disk_->mutex);
  const NodePtr node = disk_->find_node(path);
  CHECK(node && offset >= 0 && offset < static_cast<std::int64_t>(node->bytes.size()), "no such byte");
  node->bytes[static_cast<std::size_t>(offset)] ^= std::byte{1} << bit;
}

void SimFileSystem::truncate(const std::string& path, std::int64_t size) {
  const std::lock_guard lock(disk_->mutex);
  const NodePtr node = disk_->find_node(path);
  CHECK(node && size >= 0 && size <= static_cast<std::int64_t>(node->bytes.size()),
        "cannot truncate to more");
  node->bytes.resize(static_cast<std::size_t>(size));
  node->durable_size = std::min(node->durable_size, node->bytes.size());
}

std::vector<std::string> SimFileSystem::all_files() const {
  const std::lock_guard lock(disk_->mutex);
  std::vector<std::string> paths;
  collect_files(*disk_->root, "", paths);
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<std::unique_ptr<WritableFile>> SimFileSystem::create(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot create", path));
  const Place place = disk_->find_place(path);
  if (!place.directory) {
    return cannot_write(fmt::format("cannot create '{}': No such file or directory", path));
  }
  if (place.name.empty() || place.directory->entries.contains(place.name)) {
    return cannot_write(fmt::format("cannot create '{}': File exists", path));
  }
  auto node = std::make_shared<SimNode>();
  disk_->change({{place.directory, place.name, node}});
  return std::unique_ptr<WritableFile>(std::make_unique<SimWritableFile>(disk_, node, path));
}

Result<std::unique_ptr<WritableFile>> SimFileSystem::append_to(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot append to", path));
  const Place place = disk_->find_place(path);
  if (!place.directory || place.name.empty()) {
    return cannot_write(fmt::format("cannot append to '{}': No such file or directory", path));
  }
  NodePtr node = disk_->find_node(path);
  if (node && node->is_directory) {
    return cannot_write(fmt::format("cannot append to '{}': Is a directory", path));
  }
  if (!node) {
    node = std::make_shared<SimNode>();
    disk_->change({{place.directory, place.name, node}});
  }
  return std::unique_ptr<WritableFile>(std::make_unique<SimWritableFile>(disk_, node, path));
}

Result<std::unique_ptr<ReadableFile>> SimFileSystem::open(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot open", path));
  const NodePtr node = disk_->find_node(path);
  if (!node) {
    return missing("cannot open", path);
  }
  if (node->is_directory) {
    return no_input(fmt::format("cannot open '{}': it is not a regular file", path));
  }
  return std::unique_ptr<ReadableFile>(std::make_unique<SimReadableFile>(disk_, node, path));
}

bool SimFileSystem::exists(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  return disk_->find_node(path) != nullptr;
}

bool SimFileSystem::is_directory(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  const NodePtr node = disk_->find_node(path);
  return node && node->is_directory;
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& directory) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot list", directory));
  const NodePtr node = disk_->find_node(directory);
  if (!node || !node->is_directory) {
    return missing("cannot list", directory);
  }
  std::vector<std::string> names;
  for (const auto& [name, child] : node->entries) {
    names.push_back(name);
  }
  return names;
}

Status SimFileSystem::make_directories(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  NodePtr directory = disk_->root;
  for (const std::string& part : path_parts(path)) {
    const auto entry = directory->entries.find(part);
    if (entry != directory->entries.end()) {
      directory = entry->second;
      if (!directory->is_directory) {
        return cannot_write(fmt::format("cannot make directory '{}': File exists", path));
      }
      continue;
    }
    TRY(disk_->begin("cannot make directory", path));
    auto node = std::make_shared<SimNode>();
    node->is_directory = true;
    disk_->change({{directory, part, node}});
    directory = node;
  }
  return ok_status();
}

Status SimFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot rename", from));
  const Place source = disk_->find_place(from);
  const Place target = disk_->find_place(to);
  const NodePtr node = disk_->find_node(from);
  if (!node || source.name.empty()) {
    return missing("cannot rename", from);
  }
  if (!target.directory || target.name.empty()) {
    return missing("cannot rename to", to);
  }
  const NodePtr replaced = disk_->find_node(to);
  if (replaced == node) {
    return ok_status();
  }
  if (replaced && (replaced->is_directory != node->is_directory || !replaced->entries.empty())) {
    return cannot_write(fmt::format("cannot rename '{}' to '{}': the target is in the way", from, to));
  }
  disk_->forget(replaced);
  disk_->change({{source.directory, source.name, nullptr}, {target.directory, target.name, node}});
  return ok_status();
}

Status SimFileSystem::cut_file(const std::string& path, std::int64_t size) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot cut", path));
  const NodePtr node = disk_->find_node(path);
  if (!node || node->is_directory) {
    return missing("cannot cut", path);
  }
  const auto before = static_cast<std::int64_t>(node->bytes.size());
  if (before < size) {
    return bad_data(fmt::format("'{}' has {} bytes, at least {} were expected", path, before, size));
  }
  node->bytes.resize(static_cast<std::size_t>(size));
  node->durable_size = std::min(node->durable_size, node->bytes.size());
  ++node->num_changes;
  disk_->free_bytes += before - size;
  return ok_status();
}

Status SimFileSystem::remove_file(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot remove", path));
  const NodePtr node = disk_->find_node(path);
  if (!node) {
    return missing("cannot remove", path);
  }
  if (node->is_directory) {
    return cannot_write(fmt::format("cannot remove '{}': Is a directory", path));
  }
  disk_->forget(node);
  const Place place = disk_->find_place(path);
  disk_->change({{place.directory, place.name, nullptr}});
  return ok_status();
}

Status SimFileSystem::remove_tree(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  const Place place = disk_->find_place(path);
  const std::function<Status(const NodePtr&, const std::string&)> remove =
      [&](const NodePtr& directory, const std::string& name) -> Status {
    const NodePtr node = directory->entries.at(name);
    while (!node->entries.empty()) {
      TRY(remove(node, std::string(node->entries.begin()->first)));
    }
    TRY(disk_->begin("cannot remove", path));
    disk_->forget(node);
    disk_->change({{directory, name, nullptr}});
    return ok_status();
  };
  if (!place.directory || !place.directory->entries.contains(place.name)) {
    return ok_status();
  }
  return remove(place.directory, place.name);
}

Status SimFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot sync directory", path));
  const NodePtr node = disk_->find_node(path);
  if (!node || !node->is_directory) {
    return missing("cannot sync directory", path);
  }
  disk_->make_durable(node);
  return ok_status();
}

Result<std::unique_ptr<FileLock>> SimFileSystem::lock(const std::string& path, const std::string& holder) {
  const std::lock_guard lock(disk_->mutex);
  TRY(disk_->begin("cannot lock", path));
  const Place place = disk_->find_place(path);
  if (!place.directory || place.name.empty()) {
    return cannot_write(fmt::format("cannot open lock '{}': No such file or directory", path));
  }
  const std::string key = lock_key(path);
  if (const auto held = disk_->locks.find(key); held != disk_->locks.end()) {
    return Status(StatusCode::kTransient, fmt::format("'{}' is held by {}", path, held->second));
  }
  if (!place.directory->entries.contains(place.name)) {
    disk_->change({{place.directory, place.name, std::make_shared<SimNode>()}});
  }
  disk_->locks[key] = holder;
  const NodePtr node = disk_->find_node(path);
  const auto text = std::as_bytes(std::span(holder));
  node->bytes.assign(text.begin(), text.end());
  node->durable_size = 0;
  return std::unique_ptr<FileLock>(std::make_unique<SimFileLock>(disk_, key));
}

Result<std::int64_t> SimFileSystem::free_bytes(const std::string&) {
  const std::lock_guard lock(disk_->mutex);
  return std::max<std::int64_t>(disk_->free_bytes, 0);
}

}  // namespace cairn
