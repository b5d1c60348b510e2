package codebook

import (
	"crypto/sha256"
	"fmt"
	"testing"
)

// TestTables holds the tables to the bytes of those in ggml-common.h, one signed byte an element.
func TestTables(t *testing.T) {
	check := func(name, want string, table []byte) {
		t.Helper()
		if got := fmt.Sprintf("%x", sha256.Sum256(table)); got != want {
			t.Errorf("%s: SHA-256 %s, want %s", name, got, want)
		}
	}
	check("IQ2_XXS", "05826b5d3e472a3a78f196be62ac78acf81df0f909626e12ab9fa2a5d490dd54", flat8(IQ2XXS[:]))
	check("IQ2_XS", "06e47aaca60b4dc1d9b5a3f34540437058a6b142b4d7a59d5ded769b4d1bf1de", flat8(IQ2XS[:]))
	check("IQ2_S", "e1aa1473412b0552c2174c30ef22ab4073f6a181b85a17056e8249bd2932fd88", flat8(IQ2S[:]))
	check("IQ3_XXS", "46e35f5a997efdee6c99ce57854c8a0d4f0ff8ca57e5e8a60c0793ea580acf5d", flat4(IQ3XXS[:]))
	check("IQ3_S", "bd1af4945a1717c65610b0284e4628b9a1ba3b306fae3a06f6e5f597356e349f", flat4(IQ3S[:]))
	check("IQ2_XXS in planes", "05826b5d3e472a3a78f196be62ac78acf81df0f909626e12ab9fa2a5d490dd54", flatPlanes(Planes.IQ2XXS[0][:], Planes.IQ2XXS[1][:], 2, 8, 25, 43))
	check("IQ3_XXS in planes", "46e35f5a997efdee6c99ce57854c8a0d4f0ff8ca57e5e8a60c0793ea580acf5d", flatPlanes(Planes.IQ3XXS[0][:], Planes.IQ3XXS[1][:], 4, 4, 12, 20, 28, 36, 44, 52, 62))
	check("IQ3_S in planes", "bd1af4945a1717c65610b0284e4628b9a1ba3b306fae3a06f6e5f597356e349f", flatPlanes(Planes.IQ3S[0][:], Planes.IQ3S[1][:], 4, 1, 3, 5, 7, 9, 11, 13, 15))
	for half, shift := range []int8{1, -1} {
		var table []byte
		for _, row := range IQ1[half*2048:][:2048] {
			for _, v := range row {
				table = append(table, byte((v-shift)/8))
			}
		}
		check("IQ1_S", "07540ffc1aeaf6ad4d97e96b0fcc765aae39671d4ae4a27bbd0e796fde167c6a", table)
	}
	var signs []byte
	for c := range byte(128) {
		signs = append(signs, Signs(c))
	}
	check("signs", "a76742a603f8beca5212ecce0f1f02f11a4887fd2f7c8b15aca0ea3eb3380c31", signs)
}

func flat8(rows [][8]float32) (table []byte) {
	for _, row := range rows {
		for _, v := range row {
			table = append(table, byte(v))
		}
	}
	return table
}

func flat4(rows [][4]float32) (table []byte) {
	for _, row := range rows {
		for _, v := range row {
			table = append(table, byte(v))
		}
	}
	return table
}

func flatPlanes(first, second []byte, bits int, values ...byte) (table []byte) {
	for row := range first {
		for _, plane := range []byte{first[row], second[row]} {
			for at := 0; at < 8; at += bits {
				table = append(table, values[plane>>at&(1<<bits-1)])
			}
		}
	}
	return table
}
