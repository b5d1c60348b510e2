package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// syncFlags open a file for syncing, which takes the right to write.
const syncFlags = os.O_RDWR

func renameNew(from, to string) error {
	fromPtr, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	toPtr, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	err = windows.MoveFileEx(fromPtr, toPtr, windows.MOVEFILE_WRITE_THROUGH)
	if err == windows.ERROR_ACCESS_DENIED {
		if _, statErr := os.Lstat(to); statErr == nil {
			return os.ErrExist // how an existing directory is reported
		}
	}
	return err
}

func exchange(a, b string) error { return errors.ErrUnsupported }

func renameOver(from, to string) error { return os.Rename(from, to) }

// syncDir does nothing: renameNew writes through, and directories cannot be synced.
func syncDir(string) error { return nil }

// FreeSpace returns the bytes that dir's file system has for this user; ok is false when it does not say.
func FreeSpace(dir string) (free uint64, ok bool) {
	ptr, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	err = windows.GetDiskFreeSpaceEx(ptr, &free, nil, nil)
	return free, err == nil
}

// alive reports whether a process of that id exists.
func alive(pid int) bool {
	const stillActive = 259
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return err != windows.ERROR_INVALID_PARAMETER
	}
	defer windows.CloseHandle(h)
	var code uint32
	return windows.GetExitCodeProcess(h, &code) != nil || code == stillActive
}
