package main

import (
	"strconv"
	"strings"
)

// parseIDs reads token ids separated by commas or white space.
func parseIDs(list string) ([]int64, error) {
	if strings.TrimSpace(list) == "" {
		return nil, usagef("--ids is empty: expected token ids such as 1,2,3")
	}
	var fields []string
	for part := range strings.SplitSeq(list, ",") {
		ids := strings.Fields(part)
		if len(ids) == 0 {
			return nil, usagef("--ids %q: an id is missing at a comma: expected whole numbers such as 1,2,3", list)
		}
		fields = append(fields, ids...)
	}
	ids := make([]int64, len(fields))
	for i, f := range fields {
		id, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return nil, usagef("--ids: %q is not a token id: expected whole numbers such as 1,2,3", f)
		}
		ids[i] = id
	}
	return ids, nil
}

// formatIDs is the reverse of parseIDs.
func formatIDs(ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	return b.String()
}
