#include "storage/commit.hpp"

#include "storage/status.hpp"

#include "config/errc.hpp"

#include <rocksdb/db.h>

#include <string>

namespace troupe::storage {

caf::error commit(database& db, rocksdb::WriteBatch& batch, survives what, std::string_view step) {
  if (db.writing_stopped())
    return make_error(errc::io_error, std::string{step} + ": the database has failed to write and takes no more");
  rocksdb::WriteOptions options;
  options.sync = what == survives::power_cut;
  const auto status = db.db().Write(options, &batch);
  if (!status.ok())
    db.stop_writing();
  return to_error(status, step);
}

} // namespace troupe::storage
