// Package hub downloads model repositories from the Hugging Face hub into the cache that huggingface_hub keeps, and
// finds them there, so that either may use what the other downloaded (huggingface_hub 2.4, file_download.py and
// _snapshot_download.py).
//
// The cache holds for each repository
//
//	models--OWNER--NAME/refs/REVISION              the commit that a branch or tag names: 40 hex digits
//	models--OWNER--NAME/snapshots/COMMIT/FILE      a relative link to the blob
//	models--OWNER--NAME/blobs/HASH                 the content, named by its SHA-256 (large files) or git SHA-1
//	models--OWNER--NAME/blobs/HASH.incomplete      what has arrived so far
//	models--OWNER--NAME/trees/COMMIT.json          the files of a commit with sizes and hashes
//	.locks/models--OWNER--NAME/HASH.lock           held by the process that writes the blob
//
// The hash is the ETag that the hub gives the file. A blob gets its name only once its size and hash are what the hub
// announced. An interrupted download resumes where it stopped, in the same process or a later
// one.
//
// What a hub sends is not trusted: names of files stay within their folder, hashes and commits are used as names only
// when they look like it, answers have a size limit, and the token is sent to the hub's own origin and nowhere else.
package hub
