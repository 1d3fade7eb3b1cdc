// Texts of quantities and label selectors, and what apimachinery reads in them.
package main

import (
	"fmt"
	"math/rand"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
)

func pick(r *rand.Rand, words ...string) string { return words[r.Intn(len(words))] }

func main() {
	r := rand.New(rand.NewSource(1))
	for i := 0; i < 400; i++ {
		text := pick(r, "", "", "", "-", "+")
		for n := r.Intn(pick2(r)); n >= 0; n-- {
			text += fmt.Sprint(r.Intn(10))
		}
		if r.Intn(2) == 0 {
			text += "."
			for n := r.Intn(12); n > 0; n-- {
				text += fmt.Sprint(r.Intn(10))
			}
		}
		text += pick(r, "", "", "m", "u", "n", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-3", "e6", "K", "mm", "e", " ")
		q, err := resource.ParseQuantity(text)
		if err != nil {
			fmt.Printf("quantity\t%s\terror\n", text)
			continue
		}
		// A parsed quantity repeats the text that it was parsed from; arithmetic makes it canonical.
		q.Add(resource.Quantity{})
		// Beyond this, Value and MilliValue overflow.
		if q.CmpInt64(9e15) > 0 || q.CmpInt64(-9e15) < 0 {
			continue
		}
		fmt.Printf("quantity\t%s\t%s %d %d\n", text, q.String(), q.Value(), q.MilliValue())
	}
	for i := 0; i < 400; i++ {
		text := ""
		for n := 1 + r.Intn(7); n > 0; n-- {
			text += pick(r, "a", "b", "x/y", "in", "notin", "=", "==", "!=", "!", ",", "(", ")", "(a,b)", " ", " ", "in (a)", "notin (a,b)", ">", "<", "1", "=1", "a=b,")
		}
		s, err := labels.Parse(text)
		if err != nil {
			fmt.Printf("selector\t%s\terror %s\n", text, strings.ReplaceAll(err.Error(), "\t", " "))
			continue
		}
		fmt.Printf("selector\t%s\t%s\n", text, s)
	}
}

func pick2(r *rand.Rand) int { return []int{3, 3, 8, 20}[r.Intn(4)] }
